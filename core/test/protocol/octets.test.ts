import { describe, expect, test } from "vitest";
import {
  asciiLower,
  asciiUpper,
  codeAt,
  encodeAscii,
  decodeUtf8,
  encodeUtf8,
  isAscii,
  joinOctets,
  withoutTrailingBlanks,
} from "../../src/protocol/octets.ts";

describe("letters", () => {
  test("fold within ASCII and nowhere else: RſET is not RSET", () => {
    expect(asciiUpper("azAZ09[`{@ ſ ü ß ı k")).toBe("AZAZ09[`{@ ſ ü ß ı K");
    expect(asciiLower("azAZ09[`{@ Ü İ \u212a K")).toBe("azaz09[`{@ Ü İ \u212a k");
    expect(asciiUpper("rſet")).not.toBe("RSET");
    expect(asciiLower("\u212a")).not.toBe("k");
  });

  test("fold each by itself, behind whatever stands between", () => {
    expect(asciiUpper("ab-cd ef")).toBe("AB-CD EF");
    expect(asciiLower("AB-CD EF")).toBe("ab-cd ef");
    expect(asciiUpper("")).toBe("");
    expect(asciiUpper("quit")).toBe("QUIT");
    expect(asciiLower("QUIT")).toBe("quit");
  });

  test.each([
    ["", true],
    ["\u0000a\r\n~\u007f", true],
    ["\u0080", false],
    ["aü", false],
    ["üa", false],
    ["a\nü\n", false],
  ])("%j is ASCII: %j", (text, ascii) => {
    expect(isAscii(text)).toBe(ascii);
  });
});

test("beyond the end of a text there is no character", () => {
  expect(["a\u0000", "\u{1f600}"].map((text) => [0, 1, 2, 3].map((at) => codeAt(text, at)))).toEqual([
    [0x61, 0, -1, -1],
    [0xd83d, 0xde00, -1, -1],
  ]);
});

test.each([
  ["QUIT", "QUIT"],
  ["QUIT ", "QUIT"],
  ["QUIT \t \t", "QUIT"],
  ["NOOP a b\t", "NOOP a b"],
  [" NOOP", " NOOP"],
  [" \t", ""],
  ["", ""],
  ["QUIT\u00a0", "QUIT\u00a0"],
  ["QUIT\u3000 ", "QUIT\u3000"],
  ["QUIT\r", "QUIT\r"],
])("%j without blanks at its end is %j", (text, trimmed) => {
  expect(withoutTrailingBlanks(text)).toBe(trimmed);
});

describe("UTF-8", () => {
  test.each(["", "a", "ü€\u{1f600}", "\u0000", "\ufeffa"])("%j is read as it was written, mark and all", (text) => {
    expect(decodeUtf8(encodeUtf8(text))).toBe(text);
  });

  test.each([[[0xff]], [[0xc0, 0x80]], [[0xed, 0xa0, 0x80]], [[0x61, 0xc3]]])("%j is none", (octets) => {
    expect(decodeUtf8(Uint8Array.from(octets))).toBeUndefined();
  });
});

describe("ASCII", () => {
  test("short texts share memory, and none writes over another", () => {
    const texts = Array.from({ length: 3000 }, (_, at) => `reply ${at} ${"x".repeat(at % 50)}`);
    const encoded = texts.map(encodeAscii);
    expect(encoded.map((octets) => decodeUtf8(octets))).toEqual(texts);
    expect(new Set(encoded.map(({ buffer }) => buffer)).size).toBeLessThan(20);
  });

  test.each([0, 1, 1024, 1025, 16_384, 20_000])("a text of %i characters is as many octets", (length) => {
    expect(encodeAscii("x".repeat(length))).toEqual(new Uint8Array(length).fill(0x78));
  });
});

describe("chunks", () => {
  test("are joined in their order", () => {
    expect(joinOctets([Uint8Array.of(1, 2), Uint8Array.of(), Uint8Array.of(3)])).toEqual(Uint8Array.of(1, 2, 3));
    expect(joinOctets([])).toEqual(new Uint8Array(0));
  });

  test("of which there is but one are not copied", () => {
    const only = Uint8Array.of(1, 2);
    expect(joinOctets([only])).toBe(only);
    expect(joinOctets([only, Uint8Array.of()])).not.toBe(only);
  });
});
