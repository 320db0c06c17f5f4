import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DotReader, stuff } from "../../src/protocol/body.ts";
import { latin1, octetsOf, oracle, read, readText, words } from "../support/bodies.ts";
import { cuts, everyCut, single } from "../support/cuts.ts";

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

test.each(["refuse", "normalize"] as const)(
  "a body of any four of CR, LF, dot and a letter is read as the plain reader has it (%s)",
  (bare) => {
    const wrong: string[] = [];
    for (const word of words(4)) {
      const text = `${word}\r\n.\r\n`;
      const octets = octetsOf(text);
      for (const pieces of [[octets], single(octets)])
        if (JSON.stringify(read(pieces, bare)) !== JSON.stringify(oracle(text, bare))) wrong.push(JSON.stringify(text));
    }
    expect(wrong).toEqual([]);
  },
);

test("a body of many windows reads as what it was", () => {
  const content = Array.from({ length: 9000 }, (_, at) => `${at % 3 === 0 ? "." : ""}${"x".repeat(at % 97)}\r\n`).join(
    "",
  );
  const sent = stuff(octetsOf(content));
  expect(sent.length).toBeGreaterThan(6 * 65_536);
  for (const pieces of [[sent], cuts(sent, [1, 65_535, 65_536, 65_552, 131_073])])
    expect(read(pieces)).toEqual({ content, end: sent.length, bare: false });
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

test("a reader that came to an end stands at the start of a line", () => {
  const reader = new DotReader("refuse");
  for (let bodies = 0; bodies < 2; bodies += 1) expect(reader.push(octetsOf(".\r\n"), () => {})).toBe(3);
});

test("stuffing ends a body that has no line end", () => {
  expect(latin1(stuff(octetsOf("a")))).toBe("a\r\n.\r\n");
  expect(latin1(stuff(octetsOf("")))).toBe(".\r\n");
  expect(latin1(stuff(octetsOf(".\r\n.a\n.")))).toBe("..\r\n..a\n.\r\n.\r\n");
  expect(latin1(stuff(octetsOf("a\n")))).toBe("a\n\r\n.\r\n");
  expect(latin1(stuff(octetsOf("a\rb")))).toBe("a\rb\r\n.\r\n");
  expect(latin1(stuff(octetsOf("a\r\r.b\n\n.\r\n")))).toBe("a\r\r.b\n\n.\r\n.\r\n");
});
