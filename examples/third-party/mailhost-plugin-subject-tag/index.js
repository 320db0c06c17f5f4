// @ts-check
import { definePlugin, sameName } from "@mailhost/core";

/** @typedef {{ readonly tag: string }} SubjectTagOptions */

const tagPattern = /^[\x21-\x7e](?:[\x20-\x7e]{0,30}[\x21-\x7e])?$/;

/**
 * A Standard Schema by hand: no library is needed for one option.
 * @type {import("@mailhost/core").StandardSchema<SubjectTagOptions>}
 */
const schema = {
  "~standard": {
    version: 1,
    vendor: "mailhost-plugin-subject-tag",
    validate: (value) =>
      typeof value === "object" && value !== null && "tag" in value && isTag(value.tag)
        ? { value: { tag: value.tag } }
        : { issues: [{ path: ["tag"], message: "up to 32 printable ASCII characters are needed" }] },
  },
};

/** Puts `[tag]` in front of the Subject, once: a reply that has it keeps it where it is. */
export const subjectTag = definePlugin({
  name: "subject-tag",
  version: "0.3.0",
  core: "^1.0.0",
  options: { schema, keys: ["tag"] },
  apply(host, { tag }) {
    const mark = `[${tag}]`;
    host.hooks.data.tap("subject-tag", (message) => {
      const field = message.fields.find(({ name }) => sameName(name, "Subject"));
      if (field === undefined) return message.addField("Subject", mark);
      const subject = textOf(field);
      if (subject === undefined || subject.includes(mark)) return;
      // RFC 5322 §2.1.1: lines of 78 characters
      const [line = ""] = subject.split("\r\n");
      const between = "Subject: ".length + mark.length + 1 + line.length > 78 ? "\r\n " : " ";
      message.replaceField("Subject", `${mark}${between}${subject}`);
    });
  },
});

export default subjectTag;

/**
 * What stands behind the colon, folding kept; undefined when it cannot be written again: no UTF-8, control octets.
 * @param {import("@mailhost/core").Field} field
 */
function textOf({ name, raw }) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw);
    const value = text
      .slice(name.length)
      .replace(/^[ \t]*:[ \t]*/, "")
      .replace(/\r\n$/, "");
    return /[^\P{Cc}\t]/u.test(value.replace(/\r\n(?=[ \t])/g, "")) ? undefined : value;
  } catch {
    return undefined;
  }
}

/**
 * @param {unknown} tag
 * @returns {tag is string}
 */
function isTag(tag) {
  return typeof tag === "string" && tagPattern.test(tag);
}
