import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ScriptLine, inGroups, readScript } from "../src/index.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("a script", () => {
  test("is lines of client and server, octets, closes; the rest is passed over", () => {
    const script = readScript(`
      # what is said
      C: NOOP
      C:
      C:  two blanks
      S: 250 *

      R: \\x00a\\r\\n\\\\\\t\\0é
      C: <close>
      S: <close>
    `);
    expect(script).toEqual([
      { who: "client", octets: encode("NOOP\r\n"), text: "NOOP" },
      { who: "client", octets: encode("\r\n"), text: "" },
      { who: "client", octets: encode(" two blanks\r\n"), text: " two blanks" },
      { who: "server", pattern: "250 *" },
      { who: "client", octets: encode("\0a\r\n\\\t\0é"), text: "\\x00a\\r\\n\\\\\\t\\0é" },
      { who: "close", by: "client" },
      { who: "close", by: "server" },
    ]);
  });

  test.each(["NOOP", "c: NOOP", "X: NOOP", "C:NOOP", "C NOOP"])("is not %j", (line) => {
    expect(() => readScript(line)).toThrow(SyntaxError);
  });

  test("any octets can be written", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (octets) => {
        const text = Array.from(octets, (octet) => `\\x${octet.toString(16).padStart(2, "0")}`).join("");
        const [line] = readScript(`R: ${text}`);
        expect(line).toMatchObject({ who: "client", octets });
      }),
    );
  });
});

const shape = (script: string): string[] =>
  inGroups(readScript(script)).map((line) =>
    line.who === "client" ? line.text : line.who === "server" ? line.pattern : `<close by ${line.by}>`,
  );

describe("pipelined groups (RFC 2920 §3.1)", () => {
  test("MAIL, RCPT and DATA go together, the body waits for 354, what ends a group waits for its reply", () => {
    expect(
      shape(`
        S: 220 *
        C: EHLO client.test
        S: 250 ehlo
        C: MAIL FROM:<>
        S: 250 mail
        C: RCPT TO:<a@example.com>
        S: 250 rcpt
        C: DATA
        S: 354 go
        C: Subject: x
        C: QUIT
        C: .
        S: 250 queued
        C: RSET
        S: 250 rset
        C: QUIT
        S: 221 bye
        S: <close>
      `),
    ).toEqual(
      [
        ["220 *"],
        ["EHLO client.test", "250 ehlo"],
        ["MAIL FROM:<>", "RCPT TO:<a@example.com>", "DATA", "250 mail", "250 rcpt", "354 go"],
        ["Subject: x", "QUIT", ".", "RSET", "QUIT", "250 queued", "250 rset", "221 bye"],
        ["<close by server>"],
      ].flat(),
    );
  });

  test("a plugin's verb, an unknown one and AUTH end a group, and so does a challenge", () => {
    expect(
      shape("S: 220 *\nC: RSET\nS: 1\nC: STARTTLS\nS: 2\nC: AUTH PLAIN\nS: 334 \nC: AHg=\nS: 235\nC: NOOP\nS: 3"),
    ).toEqual(["220 *", "RSET", "STARTTLS", "1", "2", "AUTH PLAIN", "334 ", "AHg=", "235", "NOOP", "3"]);
  });

  test("a body sent as octets ends where it ends", () => {
    const script = "C: DATA\nS: 354 *\nR: x\\r\\n.\nR: \\r\\n\nS: 250 *\nC: EHLO c\nS: 250 ehlo\nC: RSET\nS: 250 rset";
    expect(shape(script)).toEqual(
      [
        ["DATA", "354 *", "x\\r\\n.", "\\r\\n", "EHLO c", "250 *", "250 ehlo"],
        ["RSET", "250 rset"],
      ].flat(),
    );
  });

  test("several commands in one line of octets are looked at each", () => {
    const script = "S: 220 *\nR: RSET\\r\\nEHLO c\\r\\n\nS: 250 rset\nS: 250 ehlo\nC: RSET\nS: 250 again";
    expect(shape(script)).toEqual(["220 *", "RSET\\r\\nEHLO c\\r\\n", "250 rset", "250 ehlo", "RSET", "250 again"]);
  });

  const commands = [
    "EHLO c",
    "MAIL FROM:<>",
    "RCPT TO:<a@b.test>",
    "RSET",
    "NOOP",
    "AUTH PLAIN",
    "BOGUS",
    "VRFY x",
    "HELP",
  ];
  const ending = new Set(["EHLO", "NOOP", "AUTH", "BOGUS", "VRFY"]);
  const exchange = fc
    .tuple(fc.constantFrom(...commands), fc.integer({ min: 1, max: 3 }))
    .map(([command, replies]): ScriptLine[] => [
      { who: "client", octets: encode(`${command}\r\n`), text: command },
      ...Array.from({ length: replies }, (_, index): ScriptLine => ({ who: "server", pattern: `${command} ${index}` })),
    ]);

  test("each side says the same in the same order, and nothing is sent behind a command that ends its group", () => {
    fc.assert(
      fc.property(fc.array(exchange, { maxLength: 20 }), (exchanges) => {
        const script: ScriptLine[] = [{ who: "server", pattern: "220 *" }, ...exchanges.flat()];
        const grouped = inGroups(script);
        for (const who of ["client", "server"])
          expect(grouped.filter((line) => line.who === who)).toEqual(script.filter((line) => line.who === who));
        for (const [index, line] of grouped.entries()) {
          const next = grouped[index + 1];
          if (line.who === "client" && next?.who === "client")
            expect(ending.has(line.text.split(" ")[0] ?? "")).toBe(false);
        }
        expect(grouped[0]).toEqual({ who: "server", pattern: "220 *" });
      }),
    );
  });
});
