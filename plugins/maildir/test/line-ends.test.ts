import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LineEnds } from "../src/line-ends.ts";

const convert = (pieces: readonly Uint8Array[]): string => {
  const lineEnds = new LineEnds();
  const place = 3;
  const out = pieces.map((piece) => {
    const room = new Uint8Array(place + piece.length + 1);
    return room.slice(place, lineEnds.into(room, place, piece));
  });
  const last = Buffer.alloc(1);
  return Buffer.concat([...out, last.subarray(0, lineEnds.end(last, 0))]).toString("latin1");
};

const cutAt = (octets: Uint8Array, cuts: readonly number[]): Uint8Array[] => {
  const at = [0, ...cuts.map((cut) => cut % (octets.length + 1)).toSorted((a, b) => a - b), octets.length];
  return at.slice(1).map((end, index) => octets.subarray(at[index], end));
};

test("CRLF becomes LF and nothing else changes, whatever the cuts", () => {
  const text = fc.string({ unit: fc.constantFrom("\r", "\n", "\r\n", "a", ".", "\x00", "\xff"), maxLength: 40 });
  fc.assert(
    fc.property(text, fc.array(fc.nat(), { maxLength: 10 }), (given, cuts) => {
      const octets = Buffer.from(given, "latin1");
      expect(convert(cutAt(octets, cuts))).toBe(given.replaceAll("\r\n", "\n"));
    }),
    { numRuns: 2000 },
  );
});

test("every single cut of a text with every mixture of CR and LF", () => {
  const octets = Buffer.from("a\r\nb\r\r\nc\n\r\nd\re\r\n\r\n\r", "latin1");
  for (let cut = 0; cut <= octets.length; cut += 1)
    expect(convert([octets.subarray(0, cut), octets.subarray(cut)])).toBe("a\nb\r\nc\n\nd\re\n\n\r");
  expect(convert(Array.from(octets, (octet) => Uint8Array.of(octet)))).toBe("a\nb\r\nc\n\nd\re\n\n\r");
});

test("line ends at every place of a vector of sixteen octets, and where one window of 64 KiB ends", () => {
  for (let before = 0; before < 40; before += 1) {
    const near = `${"a".repeat(before)}\r\n\r\r\nb\n${"c".repeat(20)}\r\n`;
    expect(convert([Buffer.from(near)])).toBe(near.replaceAll("\r\n", "\n"));
  }
  for (let before = 65_510; before < 65_550; before += 1) {
    const far = `${"a".repeat(before)}\r\n\r\n\r\r\nb${"\r\n".repeat(70_000)}\r`;
    expect(convert([Buffer.from(far)])).toBe(far.replaceAll("\r\n", "\n"));
  }
});
