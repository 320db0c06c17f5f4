import * as fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { HeaderSplitter, headerFields, headerOctets } from "../../src/message/header.ts";
import { cuts, everyCut, single } from "../support/cuts.ts";
import { latin1, octetsOf } from "../support/spool.ts";

interface Split {
  readonly fields: readonly [name: string, raw: string][];
  readonly octets: number;
  readonly tooBig: boolean;
}

function split(pieces: readonly Uint8Array[]): Split {
  const header = new HeaderSplitter();
  for (const piece of pieces) header.push(piece);
  header.end();
  expect(header.ended).toBe(true);
  const { fields, octets, tooBig } = header;
  return { fields: fields.map(({ name, raw }) => [name, latin1(raw)] as [string, string]), octets, tooBig };
}

const splitText = (text: string): Split => split([octetsOf(text)]);

describe("a header section", () => {
  test.each<[string, string, [string, string][], number]>([
    [
      "and a body",
      "A: 1\r\nB: 2\r\n\r\nbody",
      [
        ["A", "A: 1\r\n"],
        ["B", "B: 2\r\n"],
      ],
      12,
    ],
    [
      "with folding",
      "A: 1\r\n 2\r\n\t3\r\nB:4\r\n\r\n",
      [
        ["A", "A: 1\r\n 2\r\n\t3\r\n"],
        ["B", "B:4\r\n"],
      ],
      19,
    ],
    ["without empty line", "A: 1\r\nbody\r\n", [["A", "A: 1\r\n"]], 6],
    [
      "without end",
      "A: 1\r\nB: 2",
      [
        ["A", "A: 1\r\n"],
        ["B", "B: 2"],
      ],
      10,
    ],
    ["that ends in a text without line end", "A: 1\r\nbody", [["A", "A: 1\r\n"]], 6],
    ["of nothing", "", [], 0],
    ["that is the empty line", "\r\nA: 1\r\n", [], 0],
    ["that starts folded", " A: 1\r\nB: 2\r\n", [], 0],
    ["behind the From line of an mbox", "From jane Thu Jan 1 00:00:00 2026\r\nA: 1\r\n\r\n", [], 0],
    ["with a blank before the colon", "Subject : x\r\n\r\n", [["Subject", "Subject : x\r\n"]], 13],
    [
      "with a line of blanks in a field",
      "A: 1\r\n \r\nB: 2\r\n\r\n",
      [
        ["A", "A: 1\r\n \r\n"],
        ["B", "B: 2\r\n"],
      ],
      15,
    ],
    ["with a name that Object knows", "__proto__: 1\r\n\r\n", [["__proto__", "__proto__: 1\r\n"]], 14],
    ["with a name beyond ASCII", "\u00c3\u00bc: 1\r\n\r\n", [], 0],
    ["with raw UTF-8 in a value", "A: \u00c3\u00bc\u00ff\r\n\r\n", [["A", "A: \u00c3\u00bc\u00ff\r\n"]], 8],
    ["with a colon alone", ": 1\r\n\r\n", [], 0],
  ])("%s", (_, text, fields, octets) => {
    const wanted = { fields, octets, tooBig: false };
    expect(splitText(text)).toEqual(wanted);
    for (const pieces of [...everyCut(octetsOf(text)), single(octetsOf(text))]) expect(split(pieces)).toEqual(wanted);
  });

  test("of more than a thousand fields is whole", () => {
    const text = Array.from({ length: 3000 }, (_, index) => `X-${index}: ${index}\r\n`).join("");
    const { fields, tooBig } = splitText(`${text}\r\nbody`);
    expect(fields).toHaveLength(3000);
    expect(tooBig).toBe(false);
    expect(fields.map(([, raw]) => raw).join("")).toBe(text);
  });

  test("is the same however it is cut", () => {
    const unit = fc.constantFrom("A: 1\r\n", "B", ":", " ", "\t", "\r\n", "text", "x".repeat(300), "C: ");
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 12 }), fc.array(fc.nat(4000), { maxLength: 6 }), (units, at) => {
        const octets = octetsOf(units.join(""));
        const whole = split([octets]);
        expect(split(cuts(octets, at))).toEqual(whole);
        expect(split(single(octets))).toEqual(whole);
        expect(whole.fields.map(([, raw]) => raw).join("")).toBe(latin1(octets.slice(0, whole.octets)));
      }),
      { numRuns: 500 },
    );
  });
});

describe("the limit", () => {
  const line = `A: ${"x".repeat(1019)}\r\n`; // 1024 octets
  const section = line.repeat(headerOctets / line.length);

  test("is reached, not passed, by a section of 256 KiB", () => {
    const octets = octetsOf(`${section}\r\nbody`);
    const around = [-2, -1, 0, 1, 2, 3].map((by) => [
      octets.slice(0, headerOctets + by),
      octets.slice(headerOctets + by),
    ]);
    for (const pieces of [[octets], ...around]) {
      const { fields, octets: length, tooBig } = split(pieces);
      expect(tooBig).toBe(false);
      expect(length).toBe(headerOctets);
      expect(fields).toHaveLength(256);
    }
  });

  test("is passed by one field more, and by a field without end", () => {
    for (const text of [`${section}B: 2\r\n\r\n`, `${section}${section}`, `A: ${"x".repeat(headerOctets + 10)}`]) {
      const octets = octetsOf(text);
      for (const pieces of [
        [octets],
        [octets.slice(0, headerOctets), octets.slice(headerOctets)],
        cuts(octets, [1, 5000, 200_000]),
      ])
        expect(split(pieces).tooBig).toBe(true);
    }
  });

  test("is on the number of fields too: the shortest cost far more memory than octets", () => {
    expect(splitText("a:\r\n".repeat(headerFields)).tooBig).toBe(false);
    expect(splitText("a:\r\n".repeat(headerFields + 1))).toMatchObject({ tooBig: true, fields: [] });
  });

  test("does not count a body of one line of any length", () => {
    const text = "x".repeat(headerOctets * 2);
    for (const pieces of [[octetsOf(text)], cuts(octetsOf(text), [1, 255, 256, 257, headerOctets])])
      expect(split(pieces)).toEqual({ fields: [], octets: 0, tooBig: false });
    expect(splitText(`A: 1\r\n${text}\r\n`)).toEqual({ fields: [["A", "A: 1\r\n"]], octets: 6, tooBig: false });
  });

  test("is kept in linear time when the octets come one by one", () => {
    const header = new HeaderSplitter();
    header.push(octetsOf("A: "));
    const octet = Uint8Array.of(0x78);
    const searches = vi.spyOn(Uint8Array.prototype, "indexOf");
    onTestFinished(() => searches.mockRestore());
    for (let times = 0; times <= headerOctets; times += 1) header.push(octet);
    const { calls } = searches.mock;
    const contexts = searches.mock.contexts as readonly Uint8Array[]; // whoever was searched
    // Octets that were looked at for a line's end: each once, and not the room behind them
    const searched = calls.reduce((sum, [, from], at) => sum + (contexts[at]?.length ?? 0) - (from ?? 0), 0);
    expect(header.tooBig).toBe(true);
    expect(searched).toBeGreaterThan(0);
    expect(searched).toBeLessThan(2 * headerOctets);
  });
});
