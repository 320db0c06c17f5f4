import { type MailhostOptions, defer, disconnect, isPlugin, isPluginFactory, mailhost, reject } from "@mailhost/core";
import { MemoryWire, TestClock, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import muxByDefault, { type Envelope, type Handler, type MuxOptions, mux } from "@mailhost/plugin-mux";
import { fullBox, listening, way } from "./ways.ts";

const opening = `
  S: 220 *
  C: EHLO client.test
  S: 250-*
  S: 250-PIPELINING
  S: 250-SIZE *
  S: 250-8BITMIME
  S: 250-SMTPUTF8
  S: 250 ENHANCEDSTATUSCODES
`;

const mail = (...recipients: string[]): string => `
  C: MAIL FROM:<jane@example.com>
  S: 250 2.1.0 *
  ${recipients.map((recipient) => `C: RCPT TO:<${recipient}>\nS: 250 2.1.5 *`).join("\n")}
  C: DATA
  S: 354 *
  C: Subject: x
  C:
  C: Grüße
  C: .
`;

/** One message to `a@example.com` for a handler, and what the client is told at its end. */
const answered = (handler: Handler, reply: string, options: MailhostOptions = {}): Promise<void> =>
  transcript(
    () => ({ log: listening().log, ...options, plugins: [mux().handle("*@example.com", handler)] }),
    `${opening}${mail("a@example.com")}S: ${reply}`,
  );

test("mux is a plugin factory, by default and by name, and what it makes is a plugin", () => {
  expect(muxByDefault).toBe(mux);
  expect(isPluginFactory(mux)).toBe(true);
  expect(mux.definition).toMatchObject({ name: "mux", version: "1.0.0", core: "^1.0.0" });
  const routes = mux();
  expect(isPlugin(routes)).toBe(true);
  expect(routes.handle("*@*", () => {})).toBe(routes);
  expect(mux({}, { as: "other" }).name).toBe("other");
});

test("a handler is called once per message with all of its recipients", async () => {
  const calls: string[] = [];
  const handler: Handler = async (envelope) => {
    calls.push(envelope.recipients.map(({ address: { text }, tag }) => `${text} ${String(tag)}`).join(", "));
  };
  await transcript(
    () => ({
      plugins: [
        mux({ catchAll: true, routes: { "*@shop.test": handler } })
          .handle("*@example.com", handler)
          .handle("*@*", handler),
      ],
      afterwards: () =>
        expect(calls.splice(0)).toEqual([
          "Jane+News+x@EXAMPLE.com News+x, joe@shop.test undefined, x@elsewhere.test undefined",
        ]),
    }),
    `${opening}${mail("Jane+News+x@EXAMPLE.com", "joe@shop.test", "x@elsewhere.test")}S: 250 2.0.0 *`,
  );
});

test("an envelope holds the message, the sender and the session", async () => {
  const envelopes: { envelope: Envelope; text: string; octets: Uint8Array }[] = [];
  const routes = () =>
    mux().handle("*@example.com", async (envelope) => {
      envelopes.push({ envelope, text: await envelope.text(), octets: await envelope.message.bytes() });
    });
  await transcript(
    () => ({ plugins: [routes()] }),
    `${opening}${mail("a@example.com")}
     S: 250 2.0.0 *
     C: MAIL FROM:<>
     S: 250 *
     C: RCPT TO:<b@example.com>
     S: 250 *
     C: DATA
     S: 354 *
     C: .
     S: 250 2.0.0 *`,
  );
  expect(envelopes).toHaveLength(6);
  const [first, second] = envelopes;
  expect(first?.text.endsWith("Subject: x\r\n\r\nGrüße\r\n")).toBe(true);
  expect(new TextDecoder().decode(first?.octets)).toBe(first?.text);
  expect(first?.envelope).toMatchObject({
    reversePath: { localPart: "jane", domain: "example.com" },
    recipients: [{ address: { text: "a@example.com" }, kind: "local" }],
    session: { client: { address: "192.0.2.1" }, greeting: { name: "client.test" } },
    signal: { aborted: false },
  });
  expect(first?.envelope.message.fields.map(({ name }) => name)).toEqual(["Received", "Subject"]);
  expect(second?.envelope.reversePath).toBeNull();
  expect(second?.envelope.id).not.toBe(first?.envelope.id);
});

test("two functions in one transaction: the second comes in the next", async () => {
  const calls: string[] = [];
  const noting =
    (name: string): Handler =>
    (envelope) =>
      void calls.push(`${name} ${envelope.recipients.length}`);
  await transcript(
    () => ({
      plugins: [
        mux({ routes: { "a@example.com": noting("a"), "b@example.com": noting("b"), "c@example.com": "box" } }),
        way("box", "local"),
      ],
      afterwards: () => expect(calls.splice(0)).toEqual(["a 1", "b 1"]),
    }),
    `${opening}
     C: MAIL FROM:<>
     S: 250 *
     C: RCPT TO:<c@example.com>
     S: 250 2.1.5 *
     C: RCPT TO:<a@example.com>
     S: 250 2.1.5 *
     C: RCPT TO:<b@example.com>
     S: 452 4.5.3 *
     C: DATA
     S: 354 *
     C: .
     S: 250 2.0.0 *
     ${mail("b@example.com")}
     S: 250 2.0.0 *`,
  );
});

describe("one reply for several recipients never hides a failure", () => {
  // The seed answered 250 when only the last handler had succeeded
  test.each([
    ["first", ["bad@example.com", "c@example.com"]],
    ["last", ["c@example.com", "bad@example.com"]],
  ])("a function fails that was named %s, beside a transport that does not", async (_which, recipients) => {
    let calls = 0;
    let box = way("box", "local");
    await transcript(
      () => {
        box = way("box", "local");
        const routes: MuxOptions["routes"] = {
          "c@example.com": "box",
          "bad@example.com": () => {
            calls += 1;
            throw new Error("database is gone");
          },
        };
        return {
          log: listening().log,
          plugins: [mux({ routes }), box],
          afterwards: () => {
            expect(box.taken).toEqual([]);
            expect(calls).toBe(1);
            calls = 0;
          },
        };
      },
      `${opening}${mail(...recipients)}S: 451 4.3.0 *`,
    );
  });

  test("on the retry nothing that succeeded is called again", async () => {
    const calls: string[] = [];
    let broken = true;
    const good: Handler = ({ recipients }) => void calls.push(`good ${recipients.length}`);
    const bad: Handler = ({ recipients }) => {
      calls.push(`bad ${recipients.length}`);
      if (!broken) return;
      broken = false;
      return defer("Not now");
    };
    const routes = { "a@example.com": good, "b@example.com": bad, "c@example.com": bad };
    await transcript(
      () => {
        broken = true;
        return {
          plugins: [mux({ routes })],
          afterwards: () => expect(calls.splice(0)).toEqual(["good 1", "bad 2", "bad 2"]),
        };
      },
      // The client keeps what it was told of each recipient, as RFC 5321 §4.5.4.1 has it
      `${opening}
       C: MAIL FROM:<>
       S: 250 *
       C: RCPT TO:<a@example.com>
       S: 250 2.1.5 *
       C: RCPT TO:<b@example.com>
       S: 452 4.5.3 *
       C: RCPT TO:<c@example.com>
       S: 452 4.5.3 *
       C: DATA
       S: 354 *
       C: .
       S: 250 2.0.0 *
       ${mail("b@example.com", "c@example.com")}
       S: 451 4.7.1 Not now
       # The retry
       ${mail("b@example.com", "c@example.com")}
       S: 250 2.0.0 *`,
    );
  });

  test("a transport that refuses to stage keeps the function from being called", async () => {
    let calls = 0;
    const refusing = way("box", "local");
    const full = mux({ routes: { "a@example.com": () => void (calls += 1), "c@example.com": "full" } });
    await transcript(
      () => ({ log: listening().log, plugins: [full, refusing, fullBox()] }),
      `${opening}${mail("a@example.com", "c@example.com")}S: 552 5.2.2 Mailbox full`,
    );
    expect(calls).toBe(0);
  });
});

const failing = (more: object, message = "Mailbox full"): Handler => {
  return () => {
    throw Object.assign(new Error(message), more);
  };
};

const unreadable = (): never => {
  throw new Error("surprise");
};

describe("handler errors carry their own code", () => {
  test.each<[string, Handler, string]>([
    ["a refusal returned", () => reject("No such list", { code: 550, status: "5.1.1" }), "550 5.1.1 No such list"],
    ["a refusal resolved", async () => defer("Come back"), "451 4.7.1 Come back"],
    [
      "a refusal thrown",
      () => {
        // oxlint-disable-next-line typescript/only-throw-error -- the documented way
        throw reject("Virus", { code: 554, status: "5.7.1" });
      },
      "554 5.7.1 Virus",
    ],
    ["a disconnect is a refusal too", () => disconnect("Go away"), "421 4.7.0 Go away"],
    ["responseCode 452", failing({ responseCode: 452 }), "452 4.0.0 Mailbox full"],
    ["responseCode 550", failing({ responseCode: 550 }), "550 5.0.0 Mailbox full"],
    ["a text with line ends", failing({ responseCode: 552 }, "a\r\n250 b\0ü"), "552 5.0.0 a??250 b??"],
    ["a long text", failing({ responseCode: 552 }, "x".repeat(5000)), `552 5.0.0 ${"x".repeat(400)}...`],
    ["no text", failing({ responseCode: 552 }, " "), "552 5.0.0 Refused"],
  ])("%s", (_what, handler, reply) => answered(handler, reply));

  test.each<[string, Handler]>([
    ["an error", failing({})],
    ["the code of a login elsewhere", failing({ responseCode: 535 })],
    ["421, which ends a session", failing({ responseCode: 421 })],
    ["a success that was thrown", failing({ responseCode: 250 })],
    ["a code in text", failing({ responseCode: "550" })],
    ["no number", failing({ responseCode: Number.NaN })],
    ["a fraction", failing({ responseCode: 550.5 })],
    ["a rejection with nothing", () => Promise.reject()],
    [
      "an error that throws when it is looked at",
      () => Promise.reject(new Proxy(new Error("hidden"), { has: () => unreadable() })),
    ],
    ["a string", () => Promise.reject("550 no")],
    // What an untyped program may return
    ["a boolean", () => true as never],
    ["a promise of a reply made by hand", async () => ({ reply: { code: 250, text: "Ok" } }) as never],
  ])("%s is 451 and a line in the log", async (_what, handler) => {
    const { log, said } = listening();
    await answered(handler, "451 4.3.0 Temporary local problem", { log });
    expect(said).toHaveLength(3);
    expect(said[0]).toMatch(/^the handler of \*@example\.com failed: /);
  });

  test("a full disk is 452", () => answered(failing({ code: "ENOSPC" }), "452 4.3.1 Insufficient system storage"));
});

test("a handler that takes too long: 451, and its signal aborts", async () => {
  const clock = new TestClock();
  const { log, said } = listening();
  const envelopes: Envelope[] = [];
  const routes = mux({ timeout: 60_000 }).handle("*@example.com", (envelope) => {
    envelopes.push(envelope);
    return new Promise(() => {});
  });
  const server = await mailhost({ name: "mx.example.com", plugins: [routes], clock, log }).prepare();
  const wire = new MemoryWire();
  const engine = server.dialogue(wire);
  wire.attach(engine);
  engine.start();
  const group = ["HELO c", "MAIL FROM:<>", "RCPT TO:<a@example.com>", "DATA", "", ".", ""].join("\r\n");
  engine.receive(new TextEncoder().encode(group));
  while (envelopes.length === 0) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(59_999);
  await new Promise((resolve) => setImmediate(resolve));
  expect(envelopes[0]?.signal.aborted).toBe(false);
  clock.advance(1);
  while (wire.lines.at(-1)?.startsWith("354") === true) await wire.changed(1000);
  expect(wire.lines.at(-1)).toBe("451 4.3.0 The message could not be taken in time");
  expect(envelopes[0]?.signal.aborted).toBe(true);
  expect(said).toEqual(["the handler of *@example.com did not answer within 60000 ms"]);
  engine.gone("over");
  await server.close();
});

test("a timer of a handler that answered in time does not stay", async () => {
  const clock = new TestClock();
  await transcript(
    { plugins: [mux().handle("*@example.com", () => {})], clock, afterwards: () => {} },
    `${opening}${mail("a@example.com")}S: 250 2.0.0 *`,
  );
  expect(clock.waiting).toBe(0);
});

test("a handler that is added after the server was set up is an error that says so", async () => {
  const routes = mux().handle("*@example.com", () => {});
  const server = await mailhost({ plugins: [routes] }).prepare();
  expect(() => routes.handle("*@shop.test", () => {})).toThrow(/set up already/);
  await server.close();
});

test("a mux that had no route can be given one and tried again", async () => {
  const routes = mux();
  await expect(mailhost({ plugins: [routes] }).prepare()).rejects.toThrow("mux has no route");
  const server = await mailhost({ plugins: [routes.handle("*@example.com", () => {})] }).prepare();
  await server.close();
});

test("the same mux may stand on several listeners, and two muxes under two names", async () => {
  const calls: string[] = [];
  const noting =
    (name: string): Handler =>
    () =>
      void calls.push(name);
  await transcript(
    () => ({
      plugins: [
        mux().handle("*@example.com", noting("one")),
        mux({}, { as: "second" }).handle("*@shop.test", noting("two")),
      ],
      listeners: [
        { port: 0, name: "one" },
        { port: 0, name: "two" },
      ],
      afterwards: () => expect(calls.splice(0)).toEqual(["one", "two"]),
    }),
    `${opening}${mail("a@example.com")}
     S: 250 2.0.0 *
     ${mail("b@shop.test")}
     S: 250 2.0.0 *`,
  );
});

test("a route made by somebody else that mux has no function for is deferred", async () => {
  const { log, said } = listening();
  await transcript(
    () => ({ plugins: [mux().handle("a@example.com", () => {})], default: { local: "mux" }, log }),
    `${opening}${mail("postmaster")}S: 451 4.3.5 Nobody took the message`,
  );
  expect(said[0]).toContain("has no function");
});
