import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Input, type LineRead } from "../../src/protocol/lines.ts";
import { cuts } from "../support/cuts.ts";

const encoder = new TextEncoder();
const shown = (read: LineRead): string =>
  typeof read === "string" ? `<${read}>` : Buffer.from(read.text).toString("latin1");

function readAll(pieces: readonly Uint8Array[], most: number): string[] {
  const input = new Input();
  const lines: string[] = [];
  for (const piece of pieces) {
    input.push(piece);
    for (let read = input.line(most); read !== undefined; read = input.line(most)) lines.push(shown(read));
    expect(input.length).toBeLessThanOrEqual(most);
  }
  return lines;
}

const whole = (text: string, most = 512): string[] => readAll([encoder.encode(text)], most);

describe("a line", () => {
  test.each([
    ["NOOP\r\n", ["NOOP"]],
    ["a\r\nb\r\nc", ["a", "b"]],
    ["\r\n\r\n", ["", ""]],
    ["a\tb\r\n", ["a\tb"]],
    ["a\nb\r\n", ["<badLineEnd>", "b"]],
    ["\nb\r\n", ["<badLineEnd>", "b"]],
    ["a\rb\r\n", ["<badOctets>"]],
    ["a\r\r\n", ["<badOctets>"]],
    ["a\u0000b\r\n", ["<badOctets>"]],
    ["a\u001b[0m\r\n", ["<badOctets>"]],
    ["a\u007f\r\n", ["<badOctets>"]],
    ["ü\r\n", ["\u00c3\u00bc"]],
  ])("%j is read as %j", (text, lines) => {
    expect(whole(text)).toEqual(lines);
  });

  test("of the most octets is read, of one more is too long, and the next one is read again", () => {
    expect(whole(`${"x".repeat(510)}\r\nNOOP\r\n`)).toEqual(["x".repeat(510), "NOOP"]);
    expect(whole(`${"x".repeat(511)}\r\nNOOP\r\n`)).toEqual(["<tooLong>", "NOOP"]);
    expect(whole(`${"x".repeat(5000)}\r\nNOOP\r\n`)).toEqual(["<tooLong>", "NOOP"]);
  });

  test("without end is one error and no memory", () => {
    const input = new Input();
    for (let times = 0; times < 5000; times += 1) {
      input.push(new Uint8Array(1000).fill(0x41));
      expect(input.line(512)).toBeUndefined();
      expect(input.length).toBe(0);
    }
    input.push(encoder.encode("rest\r\nNOOP\r\n"));
    expect(input.line(512)).toBe("tooLong");
    expect(shown(input.line(512) ?? "badOctets")).toBe("NOOP");
    expect(input.line(512)).toBeUndefined();
  });
});

test("the same lines are read however the octets were cut", () => {
  const unit = fc.constantFrom("a", "\r", "\n", "\r\n", "\u0000", "xxxxxxxx");
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 24 }), fc.array(fc.nat(100), { maxLength: 8 }), (units, at) => {
      const octets = encoder.encode(units.join(""));
      expect(readAll(cuts(octets, at), 12)).toEqual(readAll([octets], 12));
      expect(
        readAll(
          Array.from(octets, (octet) => Uint8Array.of(octet)),
          12,
        ),
      ).toEqual(readAll([octets], 12));
    }),
    { numRuns: 2000 },
  );
});

test("raw octets can be taken between lines", () => {
  const input = new Input();
  input.push(encoder.encode("DATA\r\nbody"));
  expect(shown(input.line(512) ?? "badOctets")).toBe("DATA");
  expect(input.length).toBe(4);
  input.consume(2);
  input.push(encoder.encode("\r\nNOOP\r\n"));
  expect(new TextDecoder().decode(input.peek())).toBe("dy\r\nNOOP\r\n");
  expect(shown(input.line(512) ?? "badOctets")).toBe("dy");
  input.clear();
  expect(input.length).toBe(0);
  expect(input.line(512)).toBeUndefined();
});
