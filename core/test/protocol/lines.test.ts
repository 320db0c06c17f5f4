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

test("what was lent is read as it was, once it is kept", () => {
  const text = "one\r\ntwo\r\nthree\r\nfour\r\n";
  const octets = encoder.encode(text);
  fc.assert(
    fc.property(fc.array(fc.nat(100), { maxLength: 8 }), (at) => {
      const input = new Input();
      const lines: string[] = [];
      for (const piece of cuts(octets, at)) {
        const lent = Uint8Array.from(piece);
        input.push(lent);
        const read = input.line(512); // one at a time: others wait
        if (read !== undefined) lines.push(shown(read));
        input.keep();
        lent.fill(0x21);
      }
      for (let read = input.line(512); read !== undefined; read = input.line(512)) lines.push(shown(read));
      expect(lines.join("\r\n")).toBe("one\r\ntwo\r\nthree\r\nfour");
      expect(input.length).toBe(0);
    }),
    { numRuns: 200 },
  );
});

describe("of octets", () => {
  test("none are copied that nobody keeps, and none are held that were read", () => {
    const input = new Input();
    const chunk = encoder.encode("NOOP\r\nNO");
    input.push(chunk);
    expect(input.peek().buffer).toBe(chunk.buffer);
    input.line(512);
    expect(input.peek().buffer).toBe(chunk.buffer);
    input.consume(2);
    expect(input.peek().buffer).not.toBe(chunk.buffer);
    input.keep(); // nothing waits, nothing is copied
    expect(input.length).toBe(0);
  });

  test("kept ones are copied once", () => {
    const input = new Input();
    const chunk = encoder.encode("NOOP");
    input.push(chunk);
    input.keep();
    const kept = input.peek().buffer;
    expect(kept).not.toBe(chunk.buffer);
    input.keep();
    expect(input.peek().buffer).toBe(kept);
    input.push(encoder.encode("\r"));
    const joined = input.peek().buffer;
    input.keep();
    expect(input.peek().buffer).toBe(joined);
  });

  test("room is made by doubling: one at a time costs no more than all at once", () => {
    const input = new Input();
    const rooms = new Set<unknown>();
    for (let octet = 0; octet < 1024; octet += 1) {
      input.push(Uint8Array.of(0x41));
      rooms.add(input.peek().buffer);
    }
    expect(input.peek()).toEqual(new Uint8Array(1024).fill(0x41));
    // One that was lent, and rooms of 4, 10, 22, 46, 94, 190, 382, 766 and 1534 octets: each is filled to its end
    expect(rooms.size).toBe(10);
  });

  test("those of an incomplete line wait up to the most, and no further", () => {
    const input = new Input();
    input.push(encoder.encode("x".repeat(12)));
    expect(input.line(12)).toBeUndefined();
    expect(input.length).toBe(12);
    input.push(encoder.encode("x"));
    expect(input.line(12)).toBeUndefined();
    expect(input.length).toBe(0);
  });
});

test("whatever is done, each copy is given back once, and nothing of what was lent", () => {
  const step = fc.oneof(
    fc.string({ unit: fc.constantFrom("a", "\r\n"), minLength: 1, maxLength: 20 }),
    fc.constantFrom("keep", "line", "consume", "clear"),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const [lent, seen, freed] = [new Set<unknown>(), new Set<unknown>(), [] as unknown[]];
      const input = new Input((room) => freed.push(room));
      for (const one of steps) {
        if (one === "keep" || one === "clear") input[one]();
        else if (one === "line") input.line(512);
        else if (one === "consume") input.consume(Math.min(1, input.length));
        else {
          const chunk = Uint8Array.from(encoder.encode(one));
          lent.add(chunk.buffer);
          input.push(chunk);
        }
        if (input.length > 0) seen.add(input.peek().buffer);
      }
      input.clear();
      expect(new Set(freed)).toEqual(new Set([...seen].filter((buffer) => !lent.has(buffer))));
      expect(freed).toHaveLength(new Set(freed).size);
    }),
    { numRuns: 500 },
  );
});

describe("a long group of lines", () => {
  const odd = ["", "ü", "a\tb", "a\rb", "a\u0000", "\u007f", "x".repeat(5000), "x".repeat(600)];
  const text = Array.from({ length: 400 }, (_, at) => `${at % 7 === 0 ? odd[(at / 7) % 8] : `RCPT ${at}`}\r\n`).join(
    "",
  );

  test("is read as each of them alone", () => {
    const alone = text.split(/(?<=\n)/).flatMap((line) => whole(line));
    expect(alone).toHaveLength(400);
    expect(whole(text)).toEqual(alone);
  });

  test("is counted in octets, CRLF included", () => {
    const input = new Input();
    const octets = encoder.encode(text);
    input.push(octets);
    let counted = 0;
    for (let left = octets.length; left > 0; left = input.length) {
      const read = input.line(512);
      if (typeof read === "object") expect(read.octets).toBe(left - input.length);
      if (typeof read === "object") counted += 1;
    }
    expect(counted).toBeGreaterThan(300);
  });

  test("may hold what is no UTF-8: that line is refused, and no other", () => {
    const octets = Uint8Array.of(0x61, 13, 10, 0x62, 0xff, 13, 10, 0x63, 13, 10);
    expect(readAll([octets], 512)).toEqual(["a", "<badOctets>", "c"]);
    expect(readAll([octets.subarray(3)], 512)).toEqual(["<badOctets>", "c"]);
  });
});

test("an LF behind a CR that was taken away is alone", () => {
  const input = new Input();
  input.push(encoder.encode("ab\r\nNOOP\r\n"));
  input.consume(3);
  expect(input.line(512)).toBe("badLineEnd");
  expect(shown(input.line(512) ?? "badOctets")).toBe("NOOP");
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

test("copies of what had to wait are given back once nobody looks at them: when there is more room, and when all is read", () => {
  const freed: number[] = [];
  const input = new Input((room) => freed.push(room.byteLength));
  input.push(encoder.encode("NO"));
  input.keep();
  expect(freed).toEqual([]);
  input.push(encoder.encode("OP\r\nQUIT\r\n"));
  expect(freed).toEqual([2]);
  expect(shown(input.line(512) ?? "badOctets")).toBe("NOOP");
  expect(freed).toEqual([2]);
  expect(shown(input.line(512) ?? "badOctets")).toBe("QUIT");
  expect(freed).toEqual([2, 2 * "NOOP\r\nQUIT\r\n".length]);
  input.clear();
  expect(freed).toHaveLength(2);
});
