import type { MailhostOptions, Plugin } from "@mailhost/core";
import { TestClock, sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { open, opened, plugin, turn } from "../support/dialogue.ts";

const limited = (limits: MailhostOptions["limits"], text: string) =>
  transcript(() => ({ plugins: [sink()], limits: limits ?? {} }), `S: 220 *\n${text}`);

describe("limits", () => {
  test("recipients of one transaction", () =>
    limited(
      { recipients: 2 },
      `
      C: HELO client.test
      S: 250 *
      C: MAIL FROM:<>
      S: 250 *
      C: RCPT TO:<a@example.com>
      S: 250 *
      C: RCPT TO:<b@example.com>
      S: 250 *
      C: RCPT TO:<c@example.com>
      S: 452 4.5.3 Too many recipients
      C: RSET
      S: 250 *
      C: MAIL FROM:<>
      S: 250 *
      C: RCPT TO:<c@example.com>
      S: 250 *
    `,
    ));

  test("transactions of one session", () =>
    limited(
      { transactions: 1 },
      `
      C: HELO client.test
      S: 250 *
      C: MAIL FROM:<>
      S: 250 *
      C: RCPT TO:<a@example.com>
      S: 250 *
      C: HELO client.test
      S: 250 *
      C: MAIL FROM:<>
      S: 421 4.7.0 Too many transactions
      S: <close>
    `,
    ));

  test("commands of one session", () =>
    limited(
      { commands: 3 },
      `
      C: NOOP
      S: 250 *
      C: XFOO
      S: 500 *
      C: NOOP
      S: 250 *
      C: QUIT
      S: 421 4.7.0 Too many commands
      S: <close>
    `,
    ));

  test("errors of syntax and sequence, but not refusals", () =>
    limited(
      { errors: 4 },
      `
      C: MAIL FROM:<>
      S: 503 *
      C: HELO client.test
      S: 250 *
      C: EXPN staff
      S: 502 *
      C: MAIL FROM:<x
      S: 501 *
      C: DATA
      S: 503 *
      C: DATA
      S: 421 4.7.0 Too many errors
      S: <close>
    `,
    ));

  test("unknown commands", () =>
    limited(
      { unknownCommands: 2 },
      `
      C: XFOO
      S: 500 5.5.1 *
      C: XBAR
      S: 421 4.7.0 Too many unknown commands
      S: <close>
    `,
    ));

  test("unknown commands are errors too", () =>
    limited(
      { errors: 2 },
      `
      C: XFOO
      S: 500 5.5.1 *
      C: XBAR
      S: 421 4.7.0 Too many errors
      S: <close>
    `,
    ));
});

describe("other protocols", () => {
  test.each([
    "GET / HTTP/1.1",
    "POST /x HTTP/1.0",
    "put /",
    "HEAD /",
    "OPTIONS *",
    "CONNECT mx.example.com:25",
    "DELETE /",
    "PATCH /",
    "TRACE /",
  ])("%s ends the dialogue", (line) =>
    limited(
      {},
      `
      C: ${line}
      S: 554 5.5.1 This is an SMTP server
      S: <close>
    `,
    ),
  );

  test("in the middle too, with commands behind", () =>
    limited(
      {},
      `
      C: HELO client.test
      S: 250 *
      C: POST / HTTP/1.1
      S: 554 5.5.1 This is an SMTP server
      S: <close>
    `,
    ));

  test("a TLS handshake ends it", () =>
    limited(
      {},
      String.raw`
      R: \x16\x03\x01\x02\x00\x01\x00
      S: 554 5.5.1 This is an SMTP server
      S: <close>
    `,
    ));
});

describe("time", () => {
  async function started(timeouts: MailhostOptions["timeouts"], plugins: readonly Plugin[] = [sink()]) {
    const clock = new TestClock();
    const held = await open({ plugins, clock, timeouts: timeouts ?? {} });
    await held.hear(1);
    return { clock, ...held };
  }

  test("a client that says nothing is told so and left", async () => {
    const { clock, hear, say, wire } = await started({ command: 1000 });
    clock.advance(999);
    say("NOOP");
    expect(await hear()).toEqual(["250 2.0.0 Ok"]);
    clock.advance(999);
    expect(await hear()).toEqual([]);
    clock.advance(1);
    expect(await hear()).toEqual(["421 4.4.2 Timeout waiting for the client"]);
    expect(wire.ended).toBe(true);
    expect(clock.waiting).toBe(0);
  });

  test("a body has a time limit of its own", async () => {
    const { clock, hear, say } = await started({ command: 1000, data: 300 });
    say(...opened, "RCPT TO:<joe@example.com>", "DATA");
    await hear(9);
    clock.advance(299);
    say("text");
    clock.advance(299);
    expect(await hear()).toEqual([]);
    clock.advance(1);
    expect(await hear()).toEqual(["421 4.4.2 Timeout waiting for the client"]);
  });

  test("a session has an end, however busy it is", async () => {
    const { clock, hear, say } = await started({ command: 1000, session: 2500 });
    for (let times = 0; times < 3; times += 1) {
      clock.advance(800);
      say("NOOP");
    }
    expect(await hear()).toHaveLength(3);
    clock.advance(100);
    expect(await hear()).toEqual(["421 4.4.2 Session lasted too long"]);
  });

  test("a client that waits for us is not late", async () => {
    let answer: (() => void) | undefined;
    const slow = plugin("slow", ({ hooks }) =>
      hooks.rcpt.tapPromise(
        { name: "slow", deadline: 60_000 },
        () => new Promise<void>((resolve) => (answer = resolve)),
      ),
    );
    const { clock, hear, say } = await started({ command: 1000, session: 10_000 }, [sink(), slow]);
    say(...opened, "RCPT TO:<joe@example.com>");
    await hear(7);
    clock.advance(20_000);
    expect(await hear()).toEqual([]);
    answer?.();
    expect(await hear(1)).toEqual(["250 2.1.5 Recipient ok"]);
    clock.advance(2000);
    expect(await hear()).toEqual(["421 4.4.2 Session lasted too long"]);
  });

  test("a client that does not read our replies is late", async () => {
    const { clock, hear, say, wire } = await started({ command: 1000 });
    wire.reads = false;
    say("NOOP");
    await hear();
    clock.advance(1000);
    await turn();
    expect(wire.ended).toBe(true);
  });
});
