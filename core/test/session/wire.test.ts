import { mailhost } from "@mailhost/core";
import { TestClock, sink } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { upgrading } from "../support/auth.ts";
import { hold, open, opened, plugin, recorder, turn } from "../support/dialogue.ts";

/** A promise and who settles it. */
function gate(): { readonly passed: Promise<void>; readonly pass: () => void } {
  let pass = (): void => {};
  const passed = new Promise<void>((resolve) => (pass = resolve));
  return { passed, pass: () => pass() };
}

describe("pipelining", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => `RCPT TO:<user${index}@example.com>`);

  test("MAIL, a hundred RCPT and DATA are answered in one write, where no tap has to wait", async () => {
    const { say, hear, wire } = await open({ plugins: [sink()] });
    say("EHLO client.test");
    await hear(7);
    const before = wire.writes.length;
    say("MAIL FROM:<jane@example.com>", ...hundred, "DATA");
    expect(wire.writes).toHaveLength(before + 1);
    expect(
      wire.writes
        .at(-1)
        ?.split("\r\n")
        .map((line) => line.slice(0, 3)),
    ).toEqual(["250", ...hundred.map(() => "250"), "354", ""]);
  });

  test("a refusal amid a group keeps its place", async () => {
    const judge = plugin("judge", ({ hooks }) =>
      hooks.rcpt.tapPromise("judge", async (recipient) => {
        await turn();
        if (recipient.address.localPart === "user1") recipient.routeTo({ transport: "nowhere" });
      }),
    );
    const { say, hear } = await open({ plugins: [sink(), judge] });
    say("EHLO client.test", "MAIL FROM:<jane@example.com>", ...hundred.slice(0, 3), "DATA", "text", ".", "QUIT");
    expect((await hear(15)).slice(7).map((line) => line.slice(0, 3))).toEqual([
      "250",
      "250",
      "451",
      "250",
      "354",
      "250",
      "221",
    ]);
  });

  test("DATA behind recipients that were all refused opens no body", async () => {
    const { say, hear } = await open({ plugins: [sink({ everything: false })] });
    say(...opened, ...hundred.slice(0, 2), "DATA", "RSET");
    expect((await hear(12)).slice(8)).toEqual([
      "550 5.7.1 Relaying denied",
      "550 5.7.1 Relaying denied",
      "554 5.5.1 No valid recipients",
      "250 2.0.0 Ok",
    ]);
  });

  test("what was answered leaves before somebody is waited for", async () => {
    const { passed, pass } = gate();
    const slow = plugin("slow", ({ hooks }) => hooks.rcpt.tapPromise("slow", () => passed));
    const { say, hear } = await open({ plugins: [sink(), slow] });
    say(...opened, "RCPT TO:<joe@example.com>", "NOOP");
    expect((await hear()).at(-1)).toBe("250 2.1.0 Sender ok");
    pass();
    expect(await hear(2)).toEqual(["250 2.1.5 Recipient ok", "250 2.0.0 Ok"]);
  });
});

describe("a client that does not read", () => {
  test("is not read from, until it does", async () => {
    const { say, hear, wire, engine } = await open({ plugins: [sink()] });
    await hear(1);
    wire.reads = false;
    say("NOOP");
    expect(wire.paused).toBe(true);
    say("NOOP", "NOOP");
    expect(await hear()).toEqual(["250 2.0.0 Ok"]);
    wire.reads = true;
    engine.drained();
    expect(wire.paused).toBe(false);
    expect(await hear()).toEqual(["250 2.0.0 Ok", "250 2.0.0 Ok"]);
  });

  test("gets one write ahead, whatever it sends", async () => {
    const { say, wire } = await open({ plugins: [sink()] });
    wire.reads = false;
    const before = wire.writes.length;
    for (let times = 0; times < 100; times += 1) say("NOOP");
    expect(wire.writes.length).toBe(before + 1);
  });
});

describe("while a hook waits", () => {
  const waiting = async () => {
    const { passed, pass } = gate();
    const reasons: unknown[] = [];
    const slow = plugin("slow", ({ hooks }) =>
      hooks.rcpt.tapPromise("slow", (_recipient, _transaction, _session, signal) => {
        signal.addEventListener("abort", () => reasons.push((signal.reason as Error).message));
        return passed;
      }),
    );
    const held = await open({ plugins: [sink(), slow] });
    held.say(...opened, "RCPT TO:<joe@example.com>");
    await held.hear(8);
    return { ...held, pass, reasons };
  };

  test("64 KiB are taken, and no more", async () => {
    const { send, wire, pass, hear } = await waiting();
    send("NOOP\r\n".repeat(10_000));
    expect(wire.paused).toBe(false);
    send("NOOP\r\n".repeat(1000));
    expect(wire.paused).toBe(true);
    pass();
    expect((await hear(1)).at(0)).toBe("250 2.1.5 Recipient ok");
  });

  test("a disconnect is noticed, and the tap is told", async () => {
    const { engine, pass, reasons, wire } = await waiting();
    engine.gone("disconnected");
    expect(reasons).toEqual(["disconnected"]);
    const before = wire.writes.length;
    pass();
    await turn();
    expect(wire.writes).toHaveLength(before);
  });

  test("a client that sends no more is left at once", async () => {
    const { engine, wire } = await waiting();
    engine.ended();
    expect(wire.ended).toBe(true);
  });

  test("a client that sends no more, but has said more, is answered to the end", async () => {
    const { engine, say, pass, hear, wire } = await waiting();
    say("QUIT");
    engine.ended();
    pass();
    expect(await hear(2)).toEqual(["250 2.1.5 Recipient ok", "221 2.0.0 Bye"]);
    expect(wire.ended).toBe(true);
  });

  test("a server that stops tells the tap and says 421", async () => {
    const { engine, reasons, hear } = await waiting();
    engine.stop();
    expect(reasons).toEqual(["shutdown"]);
    expect((await hear()).at(-1)).toMatch(/^(421 4\.3\.2|451 4\.3\.0)/);
  });
});

describe.each(["connect", "ehlo", "auth", "rcpt", "data", "queue"] as const)("a disconnect inside %s", (hook) => {
  test("harms nobody, and the generation is left", async () => {
    const { passed, pass } = gate();
    let entered = false;
    const wait = (): Promise<void> => {
      entered = true;
      return passed;
    };
    const slow = plugin("slow", (host) => {
      host.extend({
        mechanisms: [{ name: "XWORD", start: () => ({ credentials: { kind: "proven", username: "jane" } }) }],
      });
      host.hooks.auth.tap("slow", () => undefined);
      if (hook === "queue") host.hooks.queue.for("sink").tapPromise("slow", wait);
      else host.hooks[hook].tapPromise("slow", wait);
    });
    const box = sink();
    const over: string[] = [];
    const server = (await open({ plugins: [slow, box] })).server;
    const { engine, say } = hold(server, { over: () => over.push("over") });
    say(
      "EHLO client.test",
      ...(hook === "auth" ? ["AUTH XWORD"] : []),
      "MAIL FROM:<>",
      "RCPT TO:<joe@example.com>",
      "DATA",
      "text",
      ".",
    );
    while (!entered) await turn();
    engine.gone("disconnected");
    engine.gone("twice is harmless");
    pass();
    while (over.length === 0) await turn();
    await turn();
    // What has arrived whole goes its way: clients close without waiting for the 250
    expect(box.messages).toHaveLength(hook === "data" || hook === "queue" ? 1 : 0);
    expect(over).toEqual(["over"]);
  });
});

describe("a disconnect", () => {
  test("in the middle of a body delivers nothing and gives the memory back", async () => {
    const box = sink();
    const { say, hear, engine, send } = await open({
      plugins: [box],
      limits: { memoryOctets: 5000, messageMemoryOctets: 5000 },
    });
    for (let times = 0; times < 3; times += 1) {
      say(...(times === 0 ? opened : ["RSET", "MAIL FROM:<>"]), "RCPT TO:<joe@example.com>", "DATA");
      await hear();
      send("x".repeat(4000));
      if (times < 2) {
        send("\r\n.\r\n");
        await hear(1);
      }
    }
    engine.gone("disconnected");
    await turn();
    expect(box.messages).toHaveLength(2);
  });

  test("while the spool writes leaves nothing behind", async () => {
    const box = sink();
    const { say, hear, engine, send } = await open({ plugins: [box], limits: { messageMemoryOctets: 0 } });
    say(...opened, "RCPT TO:<joe@example.com>", "DATA");
    await hear(10);
    for (let times = 0; times < 20; times += 1) send("x".repeat(100_000));
    engine.gone("disconnected");
    await turn();
    expect(box.messages).toEqual([]);
  });

  test("without QUIT is harmless, and octets behind it are nobody's", async () => {
    const { say, engine, wire } = await open({ plugins: [sink()] });
    say("EHLO client.test");
    engine.gone("disconnected");
    const before = wire.writes.length;
    say("NOOP");
    engine.drained();
    engine.secured(undefined);
    engine.ended();
    engine.stop();
    engine.drain();
    expect(wire.writes).toHaveLength(before);
  });
});

describe("a server that drains", () => {
  test("says 421 to whoever is idle", async () => {
    const { engine, hear, wire } = await open({ plugins: [sink()] });
    await hear(1);
    engine.drain();
    expect(await hear()).toEqual(["421 4.3.2 Service shutting down, try again later"]);
    expect(wire.ended).toBe(true);
  });

  test("lets a body arrive and be delivered", async () => {
    const box = sink();
    const { engine, hear, say } = await open({ plugins: [box] });
    say(...opened, "RCPT TO:<joe@example.com>", "DATA");
    await hear(10);
    engine.drain();
    expect(await hear()).toEqual([]);
    say("text", ".");
    expect((await hear(2)).map((line) => line.slice(0, 9))).toEqual(["250 2.0.0", "421 4.3.2"]);
    expect(box.messages).toHaveLength(1);
  });

  test("keeps nobody waiting for the greeting, and tells the tap", async () => {
    const reasons: unknown[] = [];
    const slow = plugin("slow", ({ hooks }) =>
      hooks.connect.tapAsync("slow", (_session, signal, callback) =>
        signal.addEventListener("abort", () => {
          reasons.push((signal.reason as Error).message);
          callback(signal.reason);
        }),
      ),
    );
    for (const early of [[], ["HELO client.test"]]) {
      const { engine, hear, say, wire } = await open({ plugins: [sink(), slow] });
      say(...early);
      engine.drain();
      expect(await hear()).toEqual(["421 4.3.2 Service shutting down, try again later"]);
      expect(wire.ended).toBe(true);
    }
    expect(reasons).toEqual(["421", "421"]);
  });

  test("says the last word once, and none to a client that has left before the greeting", async () => {
    const slow = plugin("slow", ({ hooks }) => hooks.connect.tapPromise("slow", () => new Promise(() => {})));
    const twice = await open({ plugins: [sink(), slow] });
    twice.engine.drain();
    twice.engine.drain();
    expect(await twice.hear()).toEqual(["421 4.3.2 Service shutting down, try again later"]);
    const left = await open({ plugins: [sink(), slow] });
    left.engine.gone("hung up");
    left.engine.drain();
    expect(await left.hear()).toEqual([]);
  });

  test("lets a judge answer", async () => {
    const { passed, pass } = gate();
    const slow = plugin("slow", ({ hooks }) => hooks.ehlo.tapPromise("slow", () => passed));
    const { engine, hear, say } = await open({ plugins: [sink(), slow] });
    say("HELO client.test");
    await hear(1);
    engine.drain();
    expect(await hear()).toEqual([]);
    pass();
    expect(await hear(2)).toEqual(["250 mx.example.com", "421 4.3.2 Service shutting down, try again later"]);
  });
});

describe("a server that stops amid a handshake", () => {
  const first = plugin("first", (host) => host.extend({ preamble: { kind: "upgrade", upgrade: { upgrade: "test" } } }));
  test.each([
    ["behind a command", upgrading(), ["EHLO client.test", "XUPGRADE"]],
    ["at the beginning", first, []],
  ])("%s says nothing in clear: the client awaits TLS", async (_, its, lines) => {
    const server = mailhost({ name: "mx.example.com", plugins: [sink(), its], log: recorder() });
    await server.prepare();
    const heard: string[] = [];
    let ended = false;
    const engine = server.dialogue({
      write: (octets) => heard.push(Buffer.from(octets).toString()) > 0,
      end: () => void (ended = true),
      pause() {},
      resume() {},
      upgrade() {}, // the client does not shake hands
    });
    engine.start();
    for (const line of lines) engine.receive(Buffer.from(`${line}\r\n`));
    engine.drain();
    expect(ended).toBe(false);
    const before = heard.length;
    engine.stop();
    expect(heard).toHaveLength(before);
    expect(ended).toBe(true);
    engine.gone("disconnected");
    await server.close();
  });
});

describe("early talk", () => {
  test("is noticed, and answered all the same", async () => {
    const { passed, pass } = gate();
    const early: boolean[] = [];
    const slow = plugin("slow", ({ hooks }) => {
      hooks.connect.tapPromise("slow", () => passed);
      hooks.ehlo.tap("slow", (_greeting, session) => void early.push(session.spokeEarly));
    });
    const { say, hear, server } = await open({ plugins: [sink(), slow] });
    say("HELO client.test");
    pass();
    expect(await hear(2)).toEqual(["220 mx.example.com ESMTP", "250 mx.example.com"]);
    const other = hold(server);
    await other.hear(1);
    other.say("HELO client.test");
    await other.hear(1);
    expect(early).toEqual([true, false]);
    other.engine.gone("done");
  });
});

test("a session's clock is the host's", async () => {
  const clock = new TestClock(1000);
  const { engine } = await open({ plugins: [sink()], clock });
  expect(engine.session.startedAt).toBe(1000);
});
