import { readFileSync, readdirSync } from "node:fs";
import { type Reply, replyProblem } from "@mailhost/core";
import * as fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { encodeReply } from "../../src/protocol/reply.ts";
import { seed, times } from "./form.ts";
import { house, turn } from "./house.ts";
import { readReplies } from "./replies.ts";
import { openHouse } from "./speech.ts";

const source = new URL("../../src/", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, source), "utf8");

describe("there is one writer", () => {
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));

  test("octets come to be replies in one place, which checks them", () => {
    expect(files.filter((path) => /\bencodeReply\(/.test(read(path))).toSorted()).toEqual([
      "protocol/reply.ts",
      "server/listener.ts",
      "session/output.ts",
    ]);
  });

  test("nothing else writes on a wire or a socket", () => {
    expect(files.filter((path) => /[wW]ire\.write\(/.test(read(path)))).toEqual(["session/output.ts"]);
    // The wire itself, and a connection that is refused before it has one
    expect(files.filter((path) => /[sS]ocket\.(?:write|end)\([^)]/.test(read(path))).toSorted()).toEqual([
      "server/connection.ts",
      "server/listener.ts",
    ]);
  });
});

describe("whatever a plugin makes a reply of", () => {
  const word = fc.oneof(
    { weight: 4, arbitrary: fc.string({ maxLength: 20 }) },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
    { weight: 1, arbitrary: fc.integer({ min: 490, max: 520 }).map((length) => "x".repeat(length)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom("", "\r\n250 2.0.0 Ok", "\n", "\t", "\u0000", "5.7.1 x", " ", "\u{1f4e7}"),
    },
  );
  const status = fc.oneof(
    fc.constantFrom(undefined, "2.0.0", "4.7.1", "5.7.1", "5.7.999", "3.0.0", "5.7", "5.1234.0", "5.7.1\r\n"),
    fc.string({ maxLength: 8 }),
  );
  const code = fc.oneof(fc.constantFrom(220, 250, 334, 354, 421, 450, 550, 554), fc.integer({ min: -1, max: 1000 }));
  const text = fc.oneof(word, fc.array(word, { maxLength: 4 }));
  const sound = fc.constantFrom([250, "2.1.0"], [421, "4.7.0"], [550, "5.7.999"], [334, undefined], [220, undefined]);
  const reply = fc.oneof(
    fc.record({ code, status, text }),
    fc
      .record({ pair: sound, text })
      .map(({ pair: [number, its], text: words }) => ({ code: number, status: its, text: words })),
  );

  test("the writer throws, or what it writes is one reply by RFC 5321 §4.2", () => {
    let written = 0;
    fc.assert(
      fc.property(reply, (made) => {
        const given = made as Reply; // what plain JavaScript can hand over
        if (replyProblem(given) !== undefined) {
          expect(() => encodeReply(given)).toThrow(TypeError);
          return;
        }
        const text = Buffer.from(encodeReply(given)).toString("latin1");
        const [only, ...more] = readReplies(text, { madeByPlugin: true });
        expect(more).toEqual([]);
        const prefix = given.status === undefined ? "" : `${given.status} `;
        expect(only).toEqual({
          code: String(given.code),
          lines: [given.text].flat().map((line) => `${prefix}${line}`),
        });
        written += 1;
      }),
      { seed, numRuns: times(3000, 300_000) },
    );
    expect(written).toBeGreaterThan(300);
  });
});

/** What a client chooses, in every place where it can. Each place gets a marker of its own. */
const places: readonly ((marker: string) => string)[] = [
  (marker) => `EHLO ${marker}`,
  (marker) => `HELO ${marker}`,
  (marker) => `EHLO ${marker} ${marker}`,
  (marker) => `EHLO [${marker}]`,
  (marker) => `MAIL FROM:<${marker}@example.com>`,
  (marker) => `MAIL FROM:<jane@${marker}.test>`,
  (marker) => `MAIL FROM:<"${marker}"@example.com>`,
  (marker) => `MAIL FROM:<${marker}`,
  (marker) => `MAIL FROM:<@${marker}:jane@example.com>`,
  (marker) => `MAIL FROM:<> ${marker}=1`,
  (marker) => `MAIL FROM:<> SIZE=${marker}`,
  (marker) => `MAIL FROM:<> BODY=${marker}`,
  (marker) => `MAIL FROM:<> SMTPUTF8 AUTH=${marker}`,
  (marker) => `MAIL ${marker}`,
  (marker) => `RCPT TO:<${marker}@example.com>`,
  (marker) => `RCPT TO:<joe@${marker}>`,
  (marker) => `RCPT TO:<refused@${marker}.test>`,
  (marker) => `RCPT TO:<joe@${marker}`,
  (marker) => `RCPT TO:<joe@example.com> ${marker}`,
  (marker) => `RCPT ${marker}`,
  (marker) => `DATA ${marker}`,
  (marker) => `DATA\r\nSubject: ${marker}\r\n${marker}: ${marker}\r\n\r\n${marker}\r\n.`,
  (marker) => `DATA\r\nX-Refuse: ${marker}\r\n\r\n${marker}\r\n.`,
  (marker) => `RSET ${marker}`,
  (marker) => `NOOP ${marker}`,
  (marker) => `VRFY ${marker}`,
  (marker) => `EXPN ${marker}`,
  (marker) => `HELP ${marker}`,
  (marker) => `QUIT ${marker}`,
  (marker) => `STARTTLS ${marker}`,
  (marker) => `AUTH ${marker}`,
  (marker) => `AUTH ${marker} ${marker}`,
  (marker) => `AUTH PLAIN ${marker}`,
  (marker) => `AUTH PLAIN ${Buffer.from(`\0${marker}\0${marker}`).toString("base64")}`,
  (marker) => `AUTH PLAIN\r\n${marker}`,
  (marker) => `AUTH PLAIN\r\n${Buffer.from(marker).toString("base64")}`,
  (marker) => `${marker}`,
  (marker) => `${marker} ${marker}`,
  (marker) => `NOOP ${marker}\u0000`,
  (marker) => `NOOP ${marker}\n`,
];
const ready = ["EHLO client.test", "MAIL FROM:<jane@example.com>", "RCPT TO:<joe@example.com>", "STARTTLS"];

test("nothing a client said comes back, raw or otherwise, wherever it said it", async () => {
  const made = await house(openHouse);
  onTestFinished(() => made.close());
  let markers = 0;
  const echoed: string[] = [];
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.constantFrom(...places), fc.constantFrom(...ready)), { minLength: 1, maxLength: 30 }),
      async (said) => {
        const talk = made.open();
        for (const line of said) {
          markers += 1;
          // Letters of which no reply is made; the second half is folded differently from the first
          const marker = `zqjx${markers.toString(2).replace(/0/g, "j").replace(/1/g, "Q")}xZ`;
          talk.send(`${typeof line === "string" ? line : line(marker)}\r\n`);
          await turn();
        }
        talk.heard(); // each reply held to the grammar
        if (/zqjx/i.test(talk.said) || /[^\t\r\n\x20-\x7e]/.test(talk.said)) echoed.push(talk.said);
        expect(echoed).toEqual([]);
        talk.engine.gone("the law is over");
      },
    ),
    { seed, numRuns: times(300, 20_000) },
  );
  expect(markers).toBeGreaterThan(1000);
});
