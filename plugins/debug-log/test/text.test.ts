import { Writable } from "node:stream";
import { printable } from "@mailhost/core";
import { client, sink, TestClock, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { debugLog } from "../src/index.ts";
import { wantsColour } from "../src/text.ts";
import { Memory, bouncer } from "./helpers.ts";

/** The text without milliseconds and ids, which differ. */
const settled = (text: string): string[] =>
  text.split("\n").map((line) =>
    line
      .replace(/^00:00:00\.000 [0-9A-Z]{6} /, "")
      .replace(/\d+\.\d ms/, "N ms")
      .replace(/\b[0-9A-Z]{15,17}\b/g, "ID"),
  );

test("the whole dialogue, with what plugins did beside it", () => {
  let text = new Memory();
  return transcript(
    () => {
      text = new Memory();
      return {
        plugins: [sink(), bouncer(), debugLog({ text })],
        clock: new TestClock(),
        afterwards: () =>
          expect(settled(text.text)).toEqual([
            "-- 192.0.2.1 port 40000 connected to listener 2525 on 2026-01-01",
            "S: 220 mx.example.com ESMTP",
            "C: HELO client.test",
            "S: 250 mx.example.com",
            "C: MAIL FROM:<joe@example.com>",
            "S: 250 2.1.0 Sender ok",
            "C: RCPT TO:<mallory@example.com>",
            "-- sink 1.0.0: permit local, route to sink (rcpt, N ms)",
            "-- bouncer 1.0.0 refused: 550 5.7.1 Mallory is not welcome (rcpt, N ms)",
            "S: 550 5.7.1 Mallory is not welcome",
            "C: RCPT TO:<jane@example.com>",
            "-- sink 1.0.0: permit local, route to sink (rcpt, N ms)",
            "-- jane@example.com goes to sink",
            "S: 250 2.1.5 Recipient ok",
            "C: DATA",
            "S: 354 End data with <CR><LF>.<CR><LF>",
            "C: (21 octets)",
            "-- sink 1.0.0: staged (queue, N ms)",
            "-- message ID: 250 2.0.0 Ok: queued as ID",
            "S: 250 2.0.0 Ok: queued as ID",
            "C: QUIT",
            "S: 221 2.0.0 Bye",
            "-- closed: quit",
            "",
          ]),
      };
    },
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: MAIL FROM:<joe@example.com>
    S: 250 *
    C: RCPT TO:<mallory@example.com>
    S: 550 *
    C: RCPT TO:<jane@example.com>
    S: 250 *
    C: DATA
    S: 354 *
    C: Subject: hello
    C:
    C: .
    S: 250 *
    C: QUIT
    S: 221 *
    S: <close>
  `,
  );
});

describe("a hostile client", () => {
  const hostile = "\u001b[2J\u009b31m\u202egnp.exe\u200b\u2028\u0007\u007f";

  test("cannot paint the operator's terminal, in a command or in a body", async () => {
    const text = new Memory();
    const ndjson = new Memory();
    const speaker = await client({ plugins: [sink(), debugLog({ text, ndjson, body: "all" })] });
    await speaker.reply();
    await speaker.ask(`EHLO ${hostile.replaceAll(/[\p{Cc}\p{Zl}]/gu, "")}\u009b31m`);
    await speaker.ask("NOOP \u2028");
    await speaker.ask("MAIL FROM:<>");
    await speaker.ask("RCPT TO:<jane@example.com>");
    await speaker.ask("DATA");
    speaker.send(`Subject: ${hostile}\r\n\r\n\r overwritten\r\nS: 250 forged`);
    speaker.send(Uint8Array.of(0xff, 0x9b, 0x0d, 0x0a));
    await speaker.ask(".");
    await speaker.close();
    for (const written of [text.text, ndjson.text])
      expect(written.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(text.text).toContain("31m\\u{202e}gnp.exe\\u{200b}\\u{9b}31m");
    expect(text.text).toContain("NOOP \\u{2028}");
    expect(text.text).toContain("Subject: \\x1b[2J");
    expect(text.text).toContain("C: \\xff\\x9b");
    expect(text.text).toContain("C: S: 250 forged"); // a line of the client is marked as one
    expect(text.text).toContain("C: \\x0d overwritten");
  });

  test("printable leaves words of any language alone", () => {
    expect(printable("Grüße, 世界 👋 \\ <a@b>")).toBe("Grüße, 世界 👋 \\ <a@b>");
    expect(printable("a\tb\ud800")).toBe("a\\x09b\\u{d800}");
  });

  test("broken lines are named", async () => {
    const text = new Memory();
    const speaker = await client({ plugins: [sink(), debugLog({ text })] });
    speaker.send(new TextEncoder().encode("NOOP\n"));
    speaker.send(Uint8Array.of(0xc3, 0x28, 0x0d, 0x0a));
    speaker.send("X".repeat(100_000));
    await speaker.close();
    expect(text.text).toContain("C: (a line that did not end with CRLF)");
    expect(text.text).toContain("C: (a line with octets that no command may hold)");
    expect(text.text).toContain("C: (a line that was too long)");
  });
});

test("what was said within a tick is one write to a stream", async () => {
  const written: string[] = [];
  const text = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      written.push(chunk.toString());
      done();
    },
  });
  const speaker = await client({ plugins: [sink(), debugLog({ text })] });
  await speaker.reply();
  const before = written.length;
  speaker.send("HELO client.test\r\nNOOP\r\nNOOP");
  await speaker.reply();
  expect(written).toHaveLength(before + 1);
  expect(written.at(-1)?.match(/ [CS]: /g)).toHaveLength(6);
  await speaker.close();
});

describe("colour", () => {
  const terminal = { isTTY: true };

  test.each([
    [terminal, {}, true],
    [terminal, { TERM: "dumb" }, false],
    [terminal, { NO_COLOR: "1" }, false],
    [terminal, { NO_COLOR: "" }, true],
    [terminal, { FORCE_COLOR: "0" }, false],
    [{}, {}, false],
    [{}, { FORCE_COLOR: "1" }, true],
    [{}, { FORCE_COLOR: "", NO_COLOR: "1" }, true],
  ])("%j with %j: %s", (stream, environment, expected) => {
    expect(wantsColour(stream, environment as NodeJS.ProcessEnv)).toBe(expected);
  });

  test("marks what the server refused", async () => {
    const text = Object.assign(new Memory(), { isTTY: true });
    const plain = process.env["NO_COLOR"] !== undefined || process.env["FORCE_COLOR"] !== undefined;
    const speaker = await client({ plugins: [sink(), debugLog({ text })] });
    await speaker.reply();
    await speaker.ask("BOGUS");
    await speaker.close();
    if (!plain) expect(text.text).toContain("\u001b[31mS: 500");
  });
});
