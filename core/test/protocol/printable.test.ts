import { expect, test } from "vitest";
import { printable } from "../../src/protocol/printable.ts";

test.each([
  ["jane <jane@example.com>", "jane <jane@example.com>"],
  ["ü 用户 \u{1f600}", "ü 用户 \u{1f600}"],
  ["\u001b[31m", String.raw`\x1b[31m`],
  ["a\r\nb\t\u0000", String.raw`a\x0d\x0ab\x09\x00`],
  ["\u007f\u0080\u009f", String.raw`\x7f\u{80}\u{9f}`],
  ["a\u202eb\u200b\ufeff", String.raw`a\u{202e}b\u{200b}\u{feff}`],
  ["\u2028\u2029", String.raw`\u{2028}\u{2029}`],
  ["\ud800 \ue000 \u{f0000}", String.raw`\u{d800} \u{e000} \u{f0000}`],
  ["\u{e0001}", String.raw`\u{e0001}`],
])("%j is shown as %j", (text, shown) => {
  expect(printable(text)).toBe(shown);
});
