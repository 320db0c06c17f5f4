import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BareLineEnds, DotReader, stuff } from "../../src/protocol/body.ts";
import { joinOctets } from "../../src/protocol/octets.ts";
import { cuts, everyCut, single } from "../support/cuts.ts";

interface Read {
  readonly content: string;
  /** Index behind the end in all the octets, or -1. */
  readonly end: number;
  readonly bare: boolean;
}

const latin1 = (octets: Uint8Array): string => Buffer.from(octets).toString("latin1");
const octetsOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

function read(pieces: readonly Uint8Array[], bare: BareLineEnds = "refuse"): Read {
  const reader = new DotReader(bare);
  const content: Uint8Array[] = [];
  let passed = 0;
  for (const piece of pieces) {
    const end = reader.push(piece, (slice) => content.push(slice.slice()));
    if (end >= 0) return { content: latin1(joinOctets(content)), end: passed + end, bare: reader.sawBare };
    passed += piece.length;
  }
  return { content: latin1(joinOctets(content)), end: -1, bare: reader.sawBare };
}

const readText = (text: string, bare?: BareLineEnds): Read => read([octetsOf(text)], bare);

describe("a body", () => {
  test.each([
    [".\r\n", "", 3],
    ["a\r\n.\r\n", "a\r\n", 6],
    ["a\r\n.\r\nQUIT\r\n", "a\r\n", 6],
    ["..\r\n.\r\n", ".\r\n", 7],
    [".a\r\n.\r\n", "a\r\n", 7],
    ["a\r\n..b\r\n.\r\n", "a\r\n.b\r\n", 11],
    ["a.\r\n.\r\n", "a.\r\n", 7],
    ["a\r\n. \r\n.\r\n", "a\r\n \r\n", 10],
    ["\r\n\r\n.\r\n", "\r\n\r\n", 7],
  ])("%j holds %j", (text, content, end) => {
    expect(readText(text)).toEqual({ content, end, bare: false });
  });

  test.each([
    ["a\nb\r\n.\r\n", "a\r\nb\r\n"],
    ["a\rb\r\n.\r\n", "a\r\nb\r\n"],
    ["a\r\r\nb\r\n.\r\n", "a\r\n\r\nb\r\n"],
    ["a\n\rb\r\n.\r\n", "a\r\n\r\nb\r\n"],
    ["a\n.b\r\n.\r\n", "a\r\n.b\r\n"],
    ["\n\n\r\n.\r\n", "\r\n\r\n\r\n"],
    [".\ra\r\n.\r\n", "\r\na\r\n"],
  ])("%j is mended to %j", (text, content) => {
    expect(readText(text, "normalize")).toEqual({ content, end: text.length, bare: true });
  });
});

test("every octet but CR and LF passes as it is", () => {
  const all = Uint8Array.from({ length: 256 }, (_, octet) => octet).filter((octet) => octet !== 13 && octet !== 10);
  expect(read([stuff(all)]).content).toBe(`${latin1(all)}\r\n`);
});

test("what was stuffed is unstuffed to what it was, however it is cut", () => {
  const unit = fc.constantFrom("a", ".", "\r\n", "..", "\u0000", "\u00ff", "text");
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 20 }), fc.array(fc.nat(200), { maxLength: 6 }), (units, at) => {
      const content = `${units.join("")}\r\n`;
      const sent = stuff(octetsOf(content));
      for (const bare of ["refuse", "normalize"] as const)
        for (const pieces of [[sent], cuts(sent, at), single(sent)])
          expect(read(pieces, bare)).toEqual({ content, end: sent.length, bare: false });
    }),
    { numRuns: 1000 },
  );
});

/** The same automaton, written as plainly as can be. */
function oracle(text: string, bare: BareLineEnds): Read {
  const end = `\r\n${text}`.indexOf("\r\n.\r\n");
  const body = end < 0 ? text : text.slice(0, end);
  const isBare = /(?<!\r)\n|\r(?!\n)/.test(end < 0 ? body.replace(/\r$/, "") : body);
  const unstuffed = `\r\n${body}`.replace(/\r\n\./g, "\r\n").slice(2);
  const content =
    bare === "normalize" ? unstuffed.replace(/\r\n|\r|\n/g, "\r\n") : unstuffed.replace(/(?<!\r)\n|\r(?!\n)/g, "");
  return { content, end: end < 0 ? -1 : end + 3, bare: isBare };
}

const alphabet = ["\r", "\n", ".", "a"];

function* words(length: number): Generator<string> {
  if (length === 0) return yield "";
  for (const shorter of words(length - 1)) for (const letter of alphabet) yield shorter + letter;
}

describe("of all bodies of CR, LF, dot and a letter", () => {
  test.each(["refuse", "normalize"] as const)("only CRLF . CRLF ends one (%s)", (bare) => {
    // Of two million comparisons only the failing one is to be told
    const wrong: string[] = [];
    for (let length = 0; length <= 8; length += 1)
      for (const word of words(length)) {
        const text = `${word}\r\n.\r\n`;
        const [got, wanted] = [readText(text, bare), oracle(text, bare)];
        if (got.end !== wanted.end || got.bare !== wanted.bare || got.content !== wanted.content)
          wrong.push(JSON.stringify({ text, got, wanted }));
      }
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  test("none reads otherwise behind, between and before clean lines of any length", () => {
    const wrong: string[] = [];
    const text = "x".repeat(40);
    for (let length = 0; length <= 4; length += 1)
      for (const word of words(length))
        for (let before = 0; before <= 34; before += 1) {
          const body = `${text.slice(0, before)}${word}${text.slice(0, 17)}\r\n.${word}${text.slice(0, before)}\r\n.\r\n`;
          for (const bare of ["refuse", "normalize"] as const) {
            const [got, wanted] = [readText(body, bare), oracle(body, bare)];
            if (JSON.stringify(got) !== JSON.stringify(wanted)) wrong.push(JSON.stringify({ body, got, wanted }));
          }
        }
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  test("a body of many windows reads as what it was", () => {
    const content = Array.from(
      { length: 9000 },
      (_, at) => `${at % 3 === 0 ? "." : ""}${"x".repeat(at % 97)}\r\n`,
    ).join("");
    const sent = stuff(octetsOf(content));
    expect(sent.length).toBeGreaterThan(6 * 65_536);
    for (const pieces of [[sent], cuts(sent, [1, 65_535, 65_536, 65_552, 131_073])])
      expect(read(pieces)).toEqual({ content, end: sent.length, bare: false });
  });

  test("none reads otherwise when it is cut", () => {
    const wrong: string[] = [];
    for (let length = 0; length <= 6; length += 1)
      for (const word of words(length)) {
        const octets = octetsOf(`${word}\r\n.\r\nNOOP`);
        for (const bare of ["refuse", "normalize"] as const) {
          const whole = JSON.stringify(read([octets], bare));
          for (const pieces of [...everyCut(octets), single(octets)])
            if (JSON.stringify(read(pieces, bare)) !== whole) wrong.push(JSON.stringify({ word, bare }));
        }
      }
    expect(wrong.slice(0, 5)).toEqual([]);
  });
});

// The end-of-data variants of the published smuggling studies: every pair of line ends around the dot
const ends = ["\n", "\r", "\r\n", "\n\r", "\r\r\n", "\r\n\n"];
const variants = ends.flatMap((before) => ends.map((behind) => [before, behind] as const));

describe("smuggling", () => {
  test("there are 36 variants", () => expect(variants).toHaveLength(36));

  test.each(variants)("%j . %j", (before, behind) => {
    const smuggled = `text${before}.${behind}MAIL FROM:<admin@example.com>\r\n`;
    const pieces = octetsOf(`${smuggled}.\r\n`);
    const legal = before.endsWith("\r\n") && behind.startsWith("\r\n");
    for (const bare of ["refuse", "normalize"] as const)
      for (const cut of [[pieces], ...everyCut(pieces), single(pieces)]) {
        const got = read(cut, bare);
        expect(got.end).toBe(legal ? 4 + before.length + 3 : pieces.length);
        if (!legal) expect(got.bare).toBe(true);
        if (bare === "normalize" && !legal) expect(got.content).toContain("MAIL FROM:<admin@example.com>\r\n");
      }
  });

  test("real mail with lines of dots passes beside it", () => {
    const mail = "Subject: x\r\n\r\n.\r\n..\r\n...\r\n. a\r\n\r\n";
    expect(read([stuff(octetsOf(mail))]).content).toBe(mail);
  });
});

test("stuffing ends a body that has no line end", () => {
  expect(latin1(stuff(octetsOf("a")))).toBe("a\r\n.\r\n");
  expect(latin1(stuff(octetsOf("")))).toBe(".\r\n");
  expect(latin1(stuff(octetsOf(".\r\n.a\n.")))).toBe("..\r\n..a\n.\r\n.\r\n");
});
