import { mailhost } from "@mailhost/core";
import { mux } from "@mailhost/plugin-mux";
import { TestClock, client, sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { quietLog } from "../support/dialogue.ts";

const taking = () => ({ plugins: [sink()], log: quietLog });

test("MAIL with parameters (BODY, SIZE, SMTPUTF8) is accepted", () =>
  transcript(
    taking,
    `
    S: 220 *
    C: EHLO client.test
    S: 250-mx.example.com *
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250 ENHANCEDSTATUSCODES
    C: MAIL FROM:<jane@example.com> BODY=7BIT
    S: 250 2.1.0 *
    C: RSET
    S: 250 *
    C: MAIL FROM:<jane@example.com> BODY=8BITMIME
    S: 250 2.1.0 *
    C: RSET
    S: 250 *
    C: MAIL FROM:<jane@example.com> SIZE=1000
    S: 250 2.1.0 *
    C: RSET
    S: 250 *
    C: MAIL FROM:<jürgen@example.com> SMTPUTF8
    S: 250 2.1.0 *
    C: RSET
    S: 250 *
    C: MAIL FROM:<jane@example.com> SMTPUTF8 SIZE=1000 BODY=8BITMIME
    S: 250 2.1.0 *
    C: RSET
    S: 250 *
    # What was not offered is refused by its name (RFC 5321 section 4.1.1.11)
    C: MAIL FROM:<jane@example.com> RET=HDRS
    S: 555 5.5.4 *
  `,
  ));

test("<> is accepted", () => {
  const box = sink();
  return transcript(
    {
      plugins: [box],
      afterwards: () => {
        const message = box.messages.pop();
        expect(message?.reversePath).toBe("");
        expect(message?.text).toContain("Subject: report");
      },
    },
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: MAIL FROM:<>
    S: 250 2.1.0 *
    C: RCPT TO:<jane@example.com>
    S: 250 2.1.5 *
    C: DATA
    S: 354 *
    C: Subject: report
    C: .
    S: 250 2.0.0 *
  `,
  );
});

const problemsOf = (server: ReturnType<typeof mailhost>) =>
  server.listen(0, "127.0.0.1").then(
    () => [],
    (error: unknown) => error,
  );

describe("no handler configured is a start-up error, not a crash", () => {
  test("a mux without a route", async () => {
    expect(await problemsOf(mailhost({ plugins: [mux({})] }))).toMatchObject({
      name: "ConfigurationError",
      problems: expect.arrayContaining([
        expect.objectContaining({ code: "NO_HANDLER", where: "plugins[0]", mend: expect.stringContaining("handle(") }),
      ]),
    });
  });

  test("a server without a plugin", async () => {
    expect(await problemsOf(mailhost({ plugins: [] }))).toMatchObject({
      name: "ConfigurationError",
      problems: [{ code: "NO_HANDLER" }],
    });
  });
});

const minute = 60_000;
const sunk = async () => {
  const clock = new TestClock();
  const speaker = await client({ ...taking(), clock });
  expect(await speaker.line()).toMatch(/^220/);
  return { clock, speaker };
};
const dropped = "421 4.4.2 Timeout waiting for the client";

describe("slow and silent clients are dropped", () => {
  test("a client that says nothing, after five minutes (RFC 5321 §4.5.3.2.7)", async () => {
    const { clock, speaker } = await sunk();
    clock.advance(5 * minute - 1);
    expect(speaker.ended).toBe(false);
    clock.advance(1);
    expect(await speaker.line()).toBe(dropped);
    expect(speaker.ended).toBe(true);
    await speaker.close();
  });

  test("one that falls silent amid a body, after three (§4.5.3.2.5)", async () => {
    const { clock, speaker } = await sunk();
    for (const line of ["HELO client.test", "MAIL FROM:<>", "RCPT TO:<jane@example.com>", "DATA"])
      await speaker.ask(line);
    clock.advance(2 * minute);
    speaker.send("Subject: slow");
    clock.advance(3 * minute - 1);
    expect(speaker.ended).toBe(false);
    clock.advance(1);
    expect(await speaker.line()).toBe(dropped);
    expect(speaker.ended).toBe(true);
    await speaker.close();
  });

  test("one that sends an octet now and then, after half an hour in all", async () => {
    const { clock, speaker } = await sunk();
    for (let sent = 0; sent < 7; sent += 1) {
      clock.advance(4 * minute);
      speaker.send(Uint8Array.of(0x4e));
    }
    expect(speaker.ended).toBe(false);
    clock.advance(2 * minute);
    expect(await speaker.line()).toBe("421 4.4.2 Session lasted too long");
    expect(speaker.ended).toBe(true);
    await speaker.close();
  });

  test("one that does not read what it is told", async () => {
    const clock = new TestClock();
    const speaker = await client({ ...taking(), clock });
    speaker.wire.reads = false;
    speaker.send("NOOP");
    clock.advance(5 * minute);
    expect(speaker.ended).toBe(true);
    await speaker.close();
  });
});
