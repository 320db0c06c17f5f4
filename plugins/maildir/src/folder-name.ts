import { createHash } from "node:crypto";

/** Octets of the longest name `folderName` gives; file systems take 255. */
export const longestName = 200;

/** What stands for itself. */
const plainName = /^[a-z0-9_+=][a-z0-9._+=-]*$/;

/** Stands before the hash of what was too long. The encoding itself puts two hex digits behind every `%`. */
const hashMark = "%-";
const hashDigits = 64;

/**
 * One folder name for one local part, domain or tag. Injective: two texts never share a name, on file systems that
 * ignore case neither, since `[a-z0-9._+=-]` stand for themselves and every other octet of the UTF-8 text is `%` and two
 * hex digits. A dot or hyphen in front is encoded too, so neither `..`, a hidden folder nor something like an option
 * comes out. Names over `most` octets end with the SHA-256 of the text. Without `dots` they are encoded everywhere.
 */
export function folderName(text: string, most = longestName, dots = true): string {
  if (text === "") return hashMark;
  if (plainName.test(text) && text.length <= most && (dots || !text.includes("."))) return text;
  let name = "";
  for (const octet of Buffer.from(text, "utf8")) {
    const char = String.fromCharCode(octet);
    const plain = /[a-z0-9_+=]/.test(char) || (name !== "" && (char === "-" || (dots && char === ".")));
    name += plain ? char : percent(octet);
  }
  if (name.length <= most) return name;
  const hash = createHash("sha256").update(text, "utf8").digest("hex");
  return `${name.slice(0, most - hashMark.length - hashDigits)}${hashMark}${hash}`;
}

const percent = (octet: number): string => `%${octet.toString(16).padStart(2, "0")}`;

/** Folds A to Z and nothing else, or U+212A would pose as a k: nobody's mail lands in another's mailbox by folding. */
export const lowerCase = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
