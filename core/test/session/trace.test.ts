import { type Clock, type Plugin, type TraceEvent, describeEdit, disconnect, reject } from "@mailhost/core";
import { TestClock, sink } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { base64, upgrading, words } from "../support/auth.ts";
import { open, opened, plugin, recorder, turn } from "../support/dialogue.ts";

/** A watcher that writes down what it saw. */
function watcher() {
  const events: TraceEvent[] = [];
  return {
    events,
    watching: plugin("watching", ({ hooks }) => hooks.trace.tap("watching", (event) => void events.push(event))),
  };
}

const lines = (events: readonly TraceEvent[]): string[] =>
  events.flatMap((event) =>
    event.type === "client"
      ? [`C: ${event.line}${event.secret ? " (secret)" : ""}`]
      : event.type === "server"
        ? [`S: ${event.line}`]
        : [],
  );

describe("a watcher", () => {
  test("sees a dialogue whole: lines, taps, route, body, delivery", async () => {
    const { events, watching } = watcher();
    const judge = plugin("judge", ({ hooks }) => {
      hooks.data.tap("judge", (message) => {
        message.addField("X-Judge", "1");
        message.removeField("X-None");
        message.replaceField("Subject", "y");
      });
      hooks.ehlo.tapPromise("later", async () => {});
    });
    const { say, hear, engine } = await open({ plugins: [sink(), judge, watching], clock: new TestClock(5000) });
    say("HELO client.test");
    await hear(2);
    say("MAIL FROM:<jane@example.com>", "RCPT TO:<joe@example.com>", "DATA");
    await hear(3);
    say("Subject: x", "", "text", ".");
    await hear(1);
    engine.gone("disconnected");
    expect(lines(events)).toEqual([
      "S: 220 mx.example.com ESMTP",
      "C: HELO client.test",
      "S: 250 mx.example.com",
      "C: MAIL FROM:<jane@example.com>",
      "S: 250 2.1.0 Sender ok",
      "C: RCPT TO:<joe@example.com>",
      "S: 250 2.1.5 Recipient ok",
      "C: DATA",
      "S: 354 End data with <CR><LF>.<CR><LF>",
      expect.stringMatching(/^S: 250 2\.0\.0 Ok: queued as /),
    ]);
    const taps = events.flatMap((event) =>
      event.type === "tap"
        ? [[event.hook, event.plugin, event.tap, event.outcome.kind, event.edits.map(describeEdit).join(", ")]]
        : [],
    );
    expect(taps).toEqual([
      ["ehlo", "judge", "later", "silent", ""],
      ["rcpt", "sink", "sink", "silent", "permit local, route to sink"],
      ["data", "judge", "judge", "silent", "add field X-Judge, replace field Subject"],
      ["queue", "sink", "sink", "silent", "staged"],
      ["queue", "sink", "commit", "silent", ""],
    ]);
    expect(events.find((event) => event.type === "route")).toMatchObject({
      recipient: "joe@example.com",
      transport: "sink",
    });
    const body = events.flatMap((event) => (event.type === "body" ? [Buffer.from(event.octets).toString()] : []));
    expect(body).toEqual(["Subject: x\r\n\r\ntext\r\n.\r\n"]);
    expect(events.find((event) => event.type === "delivered")).toMatchObject({ reply: { code: 250 } });
    expect(events.at(0)?.type).toBe("open");
    expect(events.at(-1)).toMatchObject({ type: "close", reason: "disconnected", at: 5000 });
  });

  test("sees how a tap ended: refused, failed, ignored, late", async () => {
    const { events, watching } = watcher();
    const fail = (): never => {
      throw new Error("oops");
    };
    const judge = plugin("judge", ({ hooks }) => {
      hooks.rcpt.tap({ name: "ignored", onFailure: "ignore" }, fail);
      hooks.rcpt.tapAsync("twice", (_recipient, _transaction, _session, _signal, done) => (done(), done()));
      hooks.rcpt.tap("refuses", (recipient) => (recipient.address.localPart === "joe" ? reject("No") : undefined));
      hooks.rcpt.tapPromise("fails", () => Promise.reject(new Error("disk")));
    });
    const { say, hear } = await open({ plugins: [judge, sink(), watching] });
    say(...opened, "RCPT TO:<joe@example.com>", "RCPT TO:<jack@example.com>");
    await hear(10);
    const outcomes = events.flatMap((event) => (event.type === "tap" ? [{ tap: event.tap, ...event.outcome }] : []));
    expect(outcomes.map(({ tap, kind }) => `${tap} ${kind}`).toSorted()).toEqual([
      "fails failed",
      "ignored failed",
      "ignored failed",
      "refuses refused",
      "refuses silent",
      "twice late",
      "twice late",
      "twice silent",
      "twice silent",
    ]);
    expect(outcomes).toContainEqual({ tap: "fails", kind: "failed", error: "disk", ignored: false });
    expect(outcomes).toContainEqual({ tap: "ignored", kind: "failed", error: "oops", ignored: true });
    expect(outcomes).toContainEqual({
      tap: "refuses",
      kind: "refused",
      reply: { code: 550, status: "5.7.1", text: "No" },
    });
  });

  test("that throws changes nothing, and is logged once for each failure", async () => {
    const log = recorder();
    let count = 0;
    const bad = plugin("bad", ({ hooks }) =>
      hooks.trace.tap("bad", () => {
        count += 1;
        throw new Error("oops");
      }),
    );
    const { say, hear } = await open({ plugins: [sink(), bad], log });
    say("HELO client.test", "QUIT");
    expect(await hear(3)).toHaveLength(3);
    expect(count).toBeGreaterThan(4);
    expect(log.lines).toEqual(["error: plugin bad failed in trace"]);
  });

  test("that wants no bodies is told how long they are; copies are for those who look", async () => {
    const shown = async (...others: readonly Plugin[]): Promise<string[]> => {
      const told: string[] = [];
      const counting = plugin("counting", ({ hooks }) =>
        hooks.trace.tap({ name: "counting", bodies: false }, (event) => {
          if (event.type === "body") told.push(`${event.count} octets, ${event.octets.length} shown`);
        }),
      );
      const { say, hear } = await open({ plugins: [sink(), counting, ...others] });
      say(...opened, "RCPT TO:<joe@example.com>", "DATA", "Subject: x", "", "text", ".");
      await hear(6);
      return told;
    };
    expect(await shown()).toEqual(["23 octets, 0 shown"]);
    expect(await shown(watcher().watching)).toEqual(["23 octets, 23 shown"]);
  });

  test("sees the time stand still while the engine has its turn, but for taps that take long", async () => {
    const { events, watching } = watcher();
    let now = 0;
    const clock: Clock = { now: () => (now += 1), after: () => () => {} };
    const slow = plugin("slow", ({ hooks }) =>
      hooks.rcpt.tap("slow", ({ address }) => {
        const until = performance.now() + (address.localPart === "slow" ? 2 : 0);
        while (performance.now() < until);
      }),
    );
    const { say, hear } = await open({ plugins: [sink(), slow, watching], clock });
    const turns = async (...said: string[]): Promise<number[]> => {
      events.length = 0;
      say(...said);
      await hear(said.length);
      return [...new Set(events.map(({ at }) => at))];
    };
    await turns("HELO client.test");
    expect(await turns("MAIL FROM:<>", "RCPT TO:<joe@example.com>", "RCPT TO:<jack@example.com>")).toHaveLength(1);
    const [before = NaN, after = NaN] = await turns("RSET", "MAIL FROM:<>", "RCPT TO:<slow@example.com>");
    expect(after).toBeGreaterThan(before);
  });

  test("who is not there costs nothing: no event is made", async () => {
    const { server } = await open({ plugins: [sink()] });
    expect(server.generations[0]?.traced).toBe(false);
  });
});

describe("secrets", () => {
  const secret = base64("jane open");
  async function seen(...said: string[]): Promise<string[]> {
    const { events, watching } = watcher();
    const { say, hear } = await open({ plugins: [sink(), words(), upgrading(), watching] });
    say("EHLO client.test", ...said);
    await hear();
    await turn();
    expect(JSON.stringify(events)).not.toContain(secret);
    return lines(events)
      .filter((line) => line.startsWith("C: "))
      .slice(1);
  }

  test("behind AUTH are not shown, the mechanism is", async () => {
    expect(await seen(`AUTH XWORD ${secret}`)).toEqual(["C: AUTH XWORD *** (secret)"]);
    expect(await seen("AUTH XWORD", secret)).toEqual(["C: AUTH XWORD", "C: *** (secret)"]);
    expect(await seen("AUTH XWORD", "*")).toEqual(["C: AUTH XWORD", "C: *"]);
    expect(await seen("AUTH")).toEqual(["C: AUTH"]);
    expect(await seen("AUTH XWORD ")).toEqual(["C: AUTH XWORD "]);
  });

  test("are not shown where AUTH was written badly", async () => {
    for (const line of [
      `auth ${secret}`,
      `AUTH=${secret}`,
      `AUTH  XFOO ${secret}`,
      ` AUTH XWORD ${secret}`,
      `AUTH\tXWORD\t${secret}`,
      `AUTHXWORD ${secret}`,
    ])
      expect((await seen(line)).join()).toContain("(secret)");
  });

  test("are not shown as the answer to a challenge that never came", async () => {
    expect(await seen("AUTH XFOO", secret)).toEqual(["C: AUTH *** (secret)", "C: *** (secret)"]);
    expect(await seen(`NOOP ${"x".repeat(13_000)}`, secret)).toEqual(["C: ", "C: *** (secret)"]);
  });

  test("of other protocols are not shown", async () => {
    expect(await seen("PASS hunter2", "a1 LOGIN jane hunter2", "XFOO bar")).toEqual([
      "C: PASS *** (secret)",
      "C: a1 LOGIN *** (secret)",
      "C: XFOO bar",
    ]);
  });

  test("broken answers are told by their fault", async () => {
    const { events, watching } = watcher();
    const { send, hear } = await open({ plugins: [sink(), words(), watching] });
    send("EHLO client.test\r\n");
    await hear(8);
    send("AUTH XWORD\r\n");
    await hear(1);
    send(`${secret}\n`);
    await hear(1);
    send("\u00ff\r\n");
    await hear(1);
    expect(events.filter((event) => event.type === "client").slice(-2)).toMatchObject([
      { line: "***", secret: true, fault: "badLineEnd" },
      { line: "", secret: false, fault: "badOctets" },
    ]);
  });

  test("are forgotten with the layer they were said on", async () => {
    const { events, watching } = watcher();
    const { say, hear } = await open({ plugins: [sink(), words(), upgrading(), watching] });
    say("HELO client.test", "AUTH XFOO");
    await hear(3);
    say("XUPGRADE");
    await hear(1);
    await turn();
    say("XFOO bar");
    await hear(1);
    expect(lines(events)).toContain("C: XFOO bar");
    expect(events.find((event) => event.type === "secured")).toMatchObject({ protocol: "TLSv1.3" });
  });

  test("who was identified is told by name", async () => {
    const { events, watching } = watcher();
    const { say, hear } = await open({ plugins: [sink(), words(), watching] });
    say("EHLO client.test", `AUTH XWORD ${secret}`);
    await hear(9);
    expect(events.find((event) => event.type === "tap" && event.hook === "auth")).toMatchObject({
      edits: [{ kind: "identify", identity: "jane" }],
    });
  });
});

test("other ends are traced with their reason", async () => {
  const ends: string[] = [];
  for (const [said, hook] of [
    ["QUIT", false],
    ["GET /", false],
    ["HELO x", true],
    ["\u0016\u0003", false],
  ] as const) {
    const { events, watching } = watcher();
    const judge = plugin("judge", ({ hooks }) => (hook ? hooks.ehlo.tap("judge", () => disconnect()) : undefined));
    const { say, hear } = await open({ plugins: [sink(), judge, watching] });
    say(said);
    await hear(2);
    const last = events.at(-1);
    if (last?.type === "close") ends.push(last.reason);
  }
  expect(ends).toEqual(["quit", "554", "421", "554"]);
});

test("a watcher that rejects is logged, and not the process's end", async () => {
  const log = recorder();
  const late = plugin("late", ({ hooks }) =>
    // oxlint-disable-next-line typescript/no-misused-promises -- what the type lets through
    hooks.trace.tap("late", async () => {
      throw new Error("disk");
    }),
  );
  const { say, hear } = await open({ plugins: [sink(), late], log });
  say("HELO client.test");
  await hear(2);
  await turn();
  expect(log.lines).toEqual(["error: plugin late failed in trace"]);
});
