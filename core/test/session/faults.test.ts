import type { Credentials, Delivery, Host, Mailhost, MessageView, Recipient } from "@mailhost/core";
import type { Session, TapCallback, Tappable, Transaction } from "@mailhost/core";
import { TestClock, sink } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { base64, words } from "../support/auth.ts";
import { hold, open, plugin, recorder, turn } from "../support/dialogue.ts";

// Every hook, every kind of tap, every way of going wrong: the reply, the log, the next session, the memory.

const hooks = ["connect", "ehlo", "auth", "rcpt", "data", "queue"] as const;
type Name = (typeof hooks)[number];
const transport = "sink";

/** What JavaScript lets a plugin do, whatever the types say. */
type Loose = Tappable<readonly unknown[]>;
const hookOf = (host: Host, name: Name): Loose =>
  (name === "queue" ? host.hooks.queue.for(transport) : host.hooks[name]) as unknown as Loose;
const rubbish = (value: unknown): undefined => value as undefined;

/** The dialogue in steps; `at` is the step a hook answers. */
const steps: readonly { readonly say: readonly string[]; readonly at: Name | undefined; readonly fine: RegExp }[] = [
  { say: [], at: "connect", fine: /^220 / },
  { say: ["EHLO client.test"], at: "ehlo", fine: /^250 / },
  { say: [`AUTH XWORD ${base64("jane open")}`], at: "auth", fine: /^235 / },
  { say: ["MAIL FROM:<jane@example.com>"], at: undefined, fine: /^250 / },
  { say: ["RCPT TO:<joe@example.com>"], at: "rcpt", fine: /^250 / },
  { say: ["DATA"], at: undefined, fine: /^354 / },
  { say: ["Subject: x", "", "text", "."], at: "data", fine: /^250 / },
];

const documented: Record<Name, string> = {
  connect: "421 4.3.0 Temporary local problem",
  ehlo: "451 4.3.0 Temporary local problem",
  auth: "451 4.3.0 Temporary local problem",
  rcpt: "451 4.3.0 Temporary local problem",
  data: "451 4.3.0 Temporary local problem",
  queue: "451 4.3.0 Temporary local problem",
};

const within = (name: Name): Name => (name === "queue" ? "data" : name);

/** Speaks up to the reply of one hook, or through the whole dialogue; waiting for a reply moves time. Gives the last line. */
async function speak(
  { wire, say }: ReturnType<typeof hold>,
  upTo: Name | undefined,
  clock?: TestClock,
): Promise<string> {
  let heard = 0;
  const lines = (): string[] => wire.lines.slice(heard);
  for (const { say: words, at, fine } of steps) {
    if (words.length > 0) say(...words);
    await settle(() => wire.ended || lines().some((line) => line[3] !== "-"), clock);
    const reply = lines().at(-1) ?? "";
    heard = wire.lines.length;
    if (upTo !== undefined && at === within(upTo)) return reply;
    expect(reply).toMatch(fine);
  }
  return wire.lines.at(-1) ?? "";
}

/** Waits until something holds; when nothing moves any more, time does. */
async function settle(holds: () => boolean, clock: TestClock | undefined): Promise<void> {
  for (let turns = 0; !holds(); turns += 1) {
    await turn();
    if (turns > 3) clock?.advance(30_000);
    if (turns > 200) throw new Error("no reply");
  }
}

/** Another client, from greeting to 250. */
async function another(server: Mailhost, clock: TestClock): Promise<string> {
  const held = hold(server);
  const reply = await speak(held, undefined, clock);
  held.engine.gone("disconnected");
  return reply;
}

type Tap = (hook: Loose, once: () => boolean) => void;
type Misbehaviour = [what: string, tap: Tap, logged: string];

const throwing = (words: string) => (): never => {
  throw new Error(words);
};
const later = (work: () => void): void => void setImmediate(() => setImmediate(work));
const never = new Promise<never>(() => {});
const handMade = { reply: { code: 250, text: "yes" }, close: false };

const sync =
  (judge: () => unknown): Tap =>
  (hook, once) =>
    hook.tap("bad", () => (once() ? rubbish(judge()) : undefined));
const callback =
  (judge: (done: TapCallback) => void): Tap =>
  (hook, once) =>
    hook.tapAsync("bad", (...args) => {
      const done = args.at(-1) as TapCallback;
      if (once()) judge(done);
      else done();
    });
const promise =
  (judge: () => unknown): Tap =>
  (hook, once) =>
    hook.tapPromise("bad", async () => (once() ? rubbish(await judge()) : undefined));

const failing: Misbehaviour[] = [
  ["sync: throws", sync(throwing("oops")), "oops"],
  ["sync: a promise", sync(async () => {}), "use tapPromise"],
  ["sync: a number", sync(() => 250), "returned 250"],
  ["sync: a refusal with a 250", sync(() => handMade), "instead of a refusal"],
  ["async: throws", callback(throwing("oops")), "oops"],
  ["async: an error later", callback((done) => later(() => done(new Error("later")))), "later"],
  ["async: never calls back", callback(() => {}), "no answer within"],
  ["async: a number", callback((done) => done(null, rubbish(7))), "returned 7"],
  ["async: a refusal with a 250", callback((done) => done(null, rubbish(handMade))), "instead of a refusal"],
  ["promise: throws before an await", promise(throwing("before")), "before"],
  ["promise: throws after an await", promise(() => turn().then(throwing("after"))), "after"],
  ["promise: never settles", promise(() => never), "no answer within"],
  ["promise: a number", promise(() => 7), "returned 7"],
  ["promise: a refusal with a 250", promise(() => handMade), "instead of a refusal"],
];

const harmless: Misbehaviour[] = [
  ["sync: null", sync(() => null), ""],
  ["async: null", callback((done) => done(null, rubbish(null))), ""],
  ["promise: null", promise(() => null), ""],
  [
    "async: calls back twice",
    callback((done) => {
      done();
      done(new Error("second"));
    }),
    "answered twice",
  ],
  ["async: calls back twice, later", callback((done) => (done(), later(() => done()))), "answered twice"],
];

async function serve(name: Name, tap: Tap, rest: { onFailure?: "ignore" } = {}) {
  const box = sink();
  const log = recorder();
  const clock = new TestClock();
  let first = true;
  const once = (): boolean => {
    const is = first;
    first = false;
    return is;
  };
  const bad = plugin("bad", (host) => tap(hookOf(host, name), once), rest);
  const held = await open({ plugins: [words(), box, bad], log, clock, limits: { commands: Infinity } });
  return { box, log, clock, held };
}

describe.each(hooks)("in %s", (name) => {
  test.each(failing)("%s: the documented reply, the log, and the next session unharmed", async (_, tap, logged) => {
    const { box, log, clock, held } = await serve(name, tap);
    expect(await speak(held, name, clock)).toBe(documented[name]);
    expect(held.wire.ended).toBe(name === "connect");
    expect(log.lines).toEqual([expect.stringContaining(`error: plugin bad failed in ${name}: `)]);
    expect(log.lines[0]).toContain(logged);
    expect(box.messages).toEqual([]);
    expect(await another(held.server, clock)).toMatch(/^250 2\.0\.0 Ok: queued/);
    expect(box.messages).toHaveLength(1);
  });

  test.each(failing)("%s, ignored: it passes and says so", async (_, tap) => {
    const { box, log, clock, held } = await serve(name, tap, { onFailure: "ignore" });
    expect(await speak(held, undefined, clock)).toMatch(/^250 2\.0\.0 Ok: queued/);
    expect(log.lines).toEqual([expect.stringMatching(`^error: plugin bad failed in ${name}: .* \\(ignored\\)$`)]);
    expect(box.messages).toHaveLength(1);
  });

  test.each(harmless)("%s: nothing", async (_, tap, logged) => {
    const { log, clock, held } = await serve(name, tap);
    expect(await speak(held, undefined, clock)).toMatch(/^250 2\.0\.0 Ok: queued/);
    await turn();
    expect(log.lines).toEqual(logged === "" ? [] : [expect.stringContaining(`plugin bad ${logged} in ${name}`)]);
  });

  test.each<[string, (done: TapCallback) => void]>([
    ["says yes", (done) => done()],
    ["fails", (done) => done(new Error("late"))],
  ])("settles after the deadline and %s: as if it never had", async (_, answer) => {
    let kept: TapCallback | undefined;
    const { log, clock, held } = await serve(
      name,
      callback((done) => (kept = done)),
    );
    expect(await speak(held, name, clock)).toBe(documented[name]);
    if (kept !== undefined) answer(kept);
    await turn();
    expect(log.lines).toHaveLength(1);
    expect(held.wire.lines.filter((line) => line.startsWith("4"))).toHaveLength(1);
  });

  test("calls back after the client is gone: nothing, and the next session is unharmed", async () => {
    let kept: TapCallback | undefined;
    const { log, clock, held } = await serve(
      name,
      callback((done) => (kept = done)),
    );
    for (const { say, at } of steps) {
      if (say.length > 0) held.say(...say);
      await turn();
      if (at === within(name)) break;
    }
    await settle(() => kept !== undefined, undefined);
    held.engine.gone("disconnected");
    kept?.();
    await turn();
    expect(log.lines).toEqual([]);
    expect(await another(held.server, clock)).toMatch(/^250 2\.0\.0 Ok: queued/);
  });
});

/** Changes something, as plain JavaScript might. */
const set = (object: unknown, key: string, value: unknown): void => {
  (object as Record<string, unknown>)[key] = value;
};
type Mutation = [what: string, hook: Name, mutate: (...args: never[]) => void];
const admin = { name: "admin" };
const mutations: Mutation[] = [
  ["who the client is", "rcpt", (_: Recipient, __: Transaction, session: Session) => set(session, "identity", admin)],
  ["who the client is, at connect", "connect", (session: Session) => set(session, "identity", admin)],
  ["whose client it is", "connect", (session: Session) => set(session.client, "address", "127.0.0.1")],
  [
    "the name of the identity",
    "data",
    (_: MessageView, __: Transaction, { identity }: Session) => set(identity, "name", "admin"),
  ],
  ["TLS", "ehlo", (_: unknown, session: Session) => set(session, "tls", { protocol: "TLSv1.3", cipher: "x" })],
  ["what EHLO said", "rcpt", (_: Recipient, __: Transaction, { greeting }: Session) => set(greeting, "name", "admin")],
  ["the password", "auth", (credentials: Credentials) => set(credentials, "password", "other")],
  ["the address", "rcpt", ({ address }: Recipient) => set(address, "domain", "example.net")],
  ["the sender", "rcpt", (_: Recipient, { reversePath }: Transaction) => set(reversePath, "domain", "example.net")],
  ["a parameter", "rcpt", ({ parameters }: Recipient) => (parameters as Map<string, null>).set("SMTPUTF8", null)],
  [
    "MAIL's parameters",
    "rcpt",
    (_: Recipient, { parameters }: Transaction) => (parameters as Map<string, null>).clear(),
  ],
  [
    "an accepted recipient",
    "data",
    (_: MessageView, { recipients }: Transaction) => set(recipients[0]?.address, "domain", "example.net"),
  ],
  [
    "where it goes",
    "data",
    (_: MessageView, { recipients }: Transaction) => set(recipients[0]?.route, "transport", "elsewhere"),
  ],
  [
    "who gets it",
    "data",
    (_: MessageView, { recipients }: Transaction) => (recipients as unknown[]).push(recipients[0]),
  ],
  ["who gets this copy", "queue", ({ recipients }: Delivery) => (recipients as unknown[]).pop()],
  ["the address of a copy", "queue", ({ recipients }: Delivery) => set(recipients[0]?.address, "localPart", "admin")],
  ["the queue id", "queue", (delivery: Delivery) => set(delivery.transaction, "id", "X")],
  ["the fields", "data", ({ fields }: MessageView) => (fields as unknown[]).pop()],
  ["a field", "data", ({ fields }: MessageView) => set(fields[0], "name", "X-Spam")],
  ["its methods, for others", "rcpt", (recipient: Recipient) => set(recipient, "permit", () => {})],
  [
    "a method of all of them",
    "rcpt",
    (recipient: Recipient) => set(Object.getPrototypeOf(recipient), "permit", () => {}),
  ],
  [
    "what sessions are",
    "connect",
    (session: Session) => void Object.defineProperty(Object.getPrototypeOf(session), "identity", { get: () => admin }),
  ],
  ["the octets of a field", "data", ({ fields }: MessageView) => void fields[0]?.raw.fill(88)],
  ["what the queue reads", "queue", ({ message }: Delivery) => set(message, "open", async function* () {})],
  ["the octets of a field in the queue", "queue", ({ message }: Delivery) => void message.fields[0]?.raw.fill(88)],
  [
    "the message in the queue",
    "queue",
    ({ message }: Delivery) =>
      (message as unknown as { add(field: unknown): void }).add({ name: "X", raw: new Uint8Array(1) }),
  ],
  [
    "methods of the argument",
    "rcpt",
    (recipient: Recipient) => set(recipient, "address", { localPart: "x", domain: "example.net" }),
  ],
];

describe.each(mutations)("changing %s", (_, name, mutate) => {
  test("has no effect, or fails the tap", async () => {
    let error = "";
    let seen = "";
    const box = sink();
    const clock = new TestClock();
    const bad = plugin("bad", (host) =>
      hookOf(host, name).tap("bad", (...args) => {
        try {
          mutate(...(args as never[]));
        } catch (thrown) {
          error = String(thrown);
        }
      }),
    );
    const judge = plugin("judge", ({ hooks: { data } }) =>
      data.tap("judge", ({ fields }, { id, reversePath, parameters, recipients }, session) => {
        const { client, identity, tls, greeting } = session;
        const to = recipients.map(({ address, route, parameters: its }) => [address, route, [...its]]);
        seen = JSON.stringify([
          [client, identity, tls ?? null, greeting, id.length],
          [reversePath, [...parameters], to, fields.map((field) => field.name)],
        ]);
      }),
    );
    const held = await open({ plugins: [bad, words(), box, judge], clock });
    const reply = await speak(held, undefined, clock);
    expect(reply).toMatch(/^250 2\.0\.0 Ok: queued/);
    const jane = { localPart: "jane", domain: "example.com", text: "jane@example.com" };
    const joe = { localPart: "joe", domain: "example.com", text: "joe@example.com" };
    expect(JSON.parse(seen)).toEqual([
      [
        { address: "192.0.2.1", port: 40000 },
        { name: "jane" },
        null,
        { name: "client.test", extended: true },
        expect.any(Number),
      ],
      [jane, [], [[joe, { transport }, []]], ["Received", "Subject"]],
    ]);
    expect(box.messages.map(({ recipients }) => recipients)).toEqual([["joe@example.com"]]);
    expect(box.messages[0]?.text).toMatch(/^Received: from client\.test [^]*\r\nSubject: x\r\n\r\ntext\r\n$/);
    expect(reply).toContain(box.messages[0]?.id);
    if (error !== "") expect(error).toMatch(/^TypeError: /);
  });
});

test("a tap that gives up because the client is gone has not failed", async () => {
  const debug: string[] = [];
  const log = { ...recorder(), debug: (_fields: object, message: string) => void debug.push(message) };
  const patient = plugin("patient", ({ hooks: { rcpt } }) =>
    rcpt.tapPromise("patient", (_recipient, _transaction, _session, signal) => {
      const left = new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
      return left;
    }),
  );
  const held = await open({ plugins: [sink(), patient], log });
  for (let count = 0; count < 10; count += 1) {
    const { say, engine } = hold(held.server);
    say("HELO client.test", "MAIL FROM:<>", "RCPT TO:<joe@example.com>");
    await turn();
    engine.gone("disconnected");
    await turn();
  }
  expect(log.lines).toEqual([]);
  expect(debug).toEqual(Array.from({ length: 10 }, () => "plugin patient gave up in rcpt: nobody waited any more"));
  expect(held.server.failing).toEqual([]);
});
