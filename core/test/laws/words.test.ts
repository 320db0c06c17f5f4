import { describe, expect, test } from "vitest";
import { octetsOf, oracle, read, readText, words } from "../support/bodies.ts";
import { everyCut, single } from "../support/cuts.ts";

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
