import { baseCommands } from "@mailhost/core";
import { expect, onTestFinished, test } from "vitest";
import { house } from "./house.ts";
import { openHouse } from "./speech.ts";

/** Characters beyond ASCII that some rule of Unicode turns into a letter, a digit or a sign of ASCII. */
const lookAlikes: ReadonlyMap<string, readonly string[]> = (() => {
  const found = new Map<string, string[]>();
  for (let code = 0x80; code <= 0x10ffff; code += 1) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const character = String.fromCodePoint(code);
    const folded = [
      character.toUpperCase(),
      character.toLowerCase().toUpperCase(),
      character.normalize("NFKC").toUpperCase(),
    ];
    for (const ascii of new Set(folded))
      if (/^[!-~]$/.test(ascii)) found.set(ascii, [...(found.get(ascii) ?? []), character]);
  }
  return found;
})();

const utf8 = (text: string): string => Buffer.from(text).toString("latin1");

/** The text with each of its characters in turn replaced by each that looks like it or folds to it. */
function* replaced(text: string): Generator<string> {
  for (let at = 0; at < text.length; at += 1)
    for (const other of lookAlikes.get(text.charAt(at).toUpperCase()) ?? [])
      yield text.slice(0, at) + other + text.slice(at + 1);
}

test("the characters are known: long s, Kelvin, full width and their kin", () => {
  expect(lookAlikes.get("S")).toEqual(expect.arrayContaining(["\u017f", "\uff33", "\uff53"]));
  expect(lookAlikes.get("K")).toContain("\u212a");
  expect([...lookAlikes.values()].flat().length).toBeGreaterThan(1000);
});

/** What stands before the line, the line, and where the code of its answer says that it was not taken for the real one. */
const lines: readonly (readonly [string, string, readonly string[], (rest: string) => string])[] = [
  ...[...baseCommands.keys(), "STARTTLS"].map((verb) => ["verb", verb, ["500"], (word: string) => word] as const),
  ["keyword of MAIL", "FROM:", ["501"], (word) => `MAIL ${word}<jane@example.com>`],
  ["parameter", "SIZE", ["501", "555"], (word) => `MAIL FROM:<jane@example.com> ${word}=1`],
  ["value", "8BITMIME", ["501"], (word) => `MAIL FROM:<jane@example.com> BODY=${word}`],
  ["mechanism", "PLAIN", ["504"], (word) => `AUTH ${word}`],
  ["literal", "IPv6", ["501"], (word) => `MAIL FROM:<jane@[${word}:::1]>`],
];

test.each(lines)("%s %s is folded in ASCII only", async (_what, word, codes, line) => {
  const made = await house(openHouse);
  onTestFinished(() => made.close());
  const talk = made.open();
  talk.send("EHLO client.test\r\n");
  talk.heard();
  const taken: string[] = [];
  let variants = 0;
  for (const variant of replaced(word)) {
    variants += 1;
    talk.send(utf8(`${line(variant)}\r\n`));
    const [reply, ...more] = await talk.hear(1);
    if (reply === undefined || more.length > 0 || !codes.includes(reply.code))
      taken.push(`${variant}: ${reply?.code ?? ""}`);
  }
  talk.engine.gone("the law is over");
  expect(taken).toEqual([]);
  expect(variants).toBeGreaterThan(10);
});
