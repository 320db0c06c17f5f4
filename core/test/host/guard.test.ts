import { type Host, type PluginDefinition, type Recipient, disconnect, reject } from "@mailhost/core";
import { TestClock, sink } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { open, opened, plugin, recorder, turn } from "../support/dialogue.ts";

const brand = Symbol.for("mailhost.refusal");
/** What JavaScript lets a plugin return, whatever the types say. */
const rubbish = (value: unknown): undefined => value as undefined;
const never = new Promise<never>(() => {});

type Tap = (host: Host) => void;
const sync =
  (judge: (recipient: Recipient) => unknown): Tap =>
  ({ hooks }) =>
    hooks.rcpt.tap("bad", (recipient) => rubbish(judge(recipient)));
const promise =
  (judge: (recipient: Recipient) => unknown): Tap =>
  ({ hooks }) =>
    hooks.rcpt.tapPromise("bad", (recipient) => judge(recipient) as Promise<undefined>);
const callback =
  (judge: (done: (error?: unknown, opinion?: undefined) => void, recipient: Recipient) => unknown): Tap =>
  ({ hooks }) =>
    hooks.rcpt.tapAsync("bad", (recipient, _transaction, _session, _signal, done) => judge(done, recipient) as void);

const throwing = (error: unknown) => () => {
  throw error;
};
const branded = (reply: unknown): unknown => ({ [brand]: true, reply, close: false });
const getter = {
  // oxlint-disable-next-line unicorn/no-thenable -- a trap on purpose
  get then(): never {
    throw new Error("a trap");
  },
};

type Failing = [what: string, tap: Tap, logged: string];

const failing: Failing[] = [
  ["sync: throws", sync(throwing(new Error("oops"))), "oops"],
  ["sync: throws nothing", sync(throwing(undefined)), "undefined"],
  ["sync: throws null", sync(throwing(null)), "null"],
  ["sync: throws a text", sync(throwing("a text")), "a text"],
  ["sync: throws what is no JSON", sync(throwing(1n)), "bigint"],
  ["sync: a number", sync(() => 250), "returned 250"],
  ["sync: true", sync(() => true), "returned true"],
  ["sync: false", sync(() => false), "returned false"],
  ["sync: a text", sync(() => "ok"), "returned ok"],
  ["sync: a function", sync(() => () => {}), "returned function"],
  ["sync: a promise", sync(() => Promise.resolve()), "use tapPromise"],
  ["sync: a promise that rejects", sync(() => Promise.reject(new Error("late"))), "use tapPromise"],
  ["sync: a reply by hand", sync(() => ({ reply: { code: 550, text: "no" }, close: false })), "instead of a refusal"],
  ["sync: a forged 250", sync(() => branded({ code: 250, text: "yes" })), "instead of a refusal"],
  ["sync: a forged 354", sync(() => branded({ code: 354, text: "go" })), "instead of a refusal"],
  ["sync: a forged line end", sync(() => branded({ code: 550, text: "a\r\n250 b" })), "instead of a refusal"],
  ["sync: a forged class", sync(() => branded({ code: 550, status: "2.0.0", text: "x" })), "instead of a refusal"],
  ["sync: a refusal without reply", sync(() => branded(undefined)), "instead of a refusal"],
  ["sync: a refusal without text", sync(() => branded({ code: 550 })), ""],
  [
    "sync: a route that is none",
    sync((recipient) => recipient.routeTo(rubbish({ nexthop: "x" }) as never)),
    "routeTo wants",
  ],
  [
    "promise: a nexthop that is no text",
    promise(async (recipient) => recipient.routeTo({ transport: "sink", nexthop: rubbish(Symbol("x")) })),
    "routeTo wants",
  ],
  ["sync: a trap", sync(() => getter), "a trap"],
  ["promise: throws", promise(throwing(new Error("before"))), "before"],
  ["promise: rejects at once", promise(() => Promise.reject(new Error("early"))), "early"],
  ["promise: rejects later", promise(() => turn().then(throwing(new Error("later")))), "later"],
  ["promise: rejects with nothing", promise(() => Promise.reject()), "rejected with nothing"],
  ["promise: a number", promise(async () => 1), "returned 1"],
  ["promise: a forged 250", promise(async () => branded({ code: 250, text: "yes" })), "instead of a refusal"],
  ["promise: no promise", promise(() => undefined), "must return a promise"],
  ["promise: a refusal instead of a promise", promise(() => reject()), "must return a promise"],
  ["promise: a trap", promise(() => getter), "a trap"],
  ["callback: throws", callback(throwing(new Error("oops"))), "oops"],
  ["callback: an error", callback((done) => done(new Error("told"))), "told"],
  ["callback: an error that is a text", callback((done) => done("told")), "told"],
  ["callback: an error of zero", callback((done) => done(0)), "0"],
  ["callback: a number", callback((done) => done(null, rubbish(1))), "returned 1"],
  ["callback: a promise", callback((done) => done(null, rubbish(Promise.reject(new Error("x"))))), "use tapPromise"],
  ["callback: an async function that rejects", callback(async () => throwing(new Error("async"))()), "async"],
  [
    "callback: an async function that rejects later",
    callback(() => turn().then(throwing(new Error("async")))),
    "async",
  ],
];

const bad = (tap: Tap, rest: Partial<PluginDefinition<never>> = {}) => plugin("bad", tap, rest as object);

describe.each(failing)("%s", (_, tap, logged) => {
  test("costs the client a 451, and the log names the plugin", async () => {
    const log = recorder();
    const { say, hear } = await open({ plugins: [sink(), bad(tap)], log });
    say(...opened, "RCPT TO:<joe@example.com>", "RSET");
    const answers = (await hear(10)).slice(-2);
    expect(answers).toEqual(["451 4.3.0 Temporary local problem", "250 2.0.0 Ok"]);
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toContain("plugin bad failed in rcpt");
    expect(log.lines[0]).toContain(logged);
  });

  test("costs nothing where failures are ignored, but for the log line", async () => {
    const log = recorder();
    const { say, hear } = await open({ plugins: [bad(tap, { onFailure: "ignore" }), sink()], log });
    say(...opened, "RCPT TO:<joe@example.com>", "RSET");
    expect((await hear(10)).slice(-2)).toEqual(["250 2.1.5 Recipient ok", "250 2.0.0 Ok"]);
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toContain("(ignored)");
  });
});

const good: [what: string, tap: Tap, reply: string][] = [
  ["sync: null is nothing", sync(() => null), "250 2.1.5 Recipient ok"],
  ["sync: undefined", sync(() => undefined), "250 2.1.5 Recipient ok"],
  ["sync: a refusal", sync(() => reject("No")), "550 5.7.1 No"],
  ["promise: null is nothing", promise(async () => null), "250 2.1.5 Recipient ok"],
  ["promise: a refusal", promise(async () => reject("No")), "550 5.7.1 No"],
  // oxlint-disable-next-line unicorn/no-thenable -- any thenable is a promise
  [
    "promise: any thenable",
    promise(() => ({ then: (resolve: (value: unknown) => void) => resolve(undefined) })),
    "250 2.1.5 Recipient ok",
  ],
  ["callback: nothing", callback((done) => done()), "250 2.1.5 Recipient ok"],
  ["callback: null", callback((done) => done(null, rubbish(null))), "250 2.1.5 Recipient ok"],
  ["callback: a refusal", callback((done) => done(null, rubbish(reject("No")))), "550 5.7.1 No"],
  [
    "callback: later",
    callback((done) => void turn().then(() => done(null, rubbish(reject("Later"))))),
    "550 5.7.1 Later",
  ],
];

const twice: [what: string, tap: Tap, reply: string][] = [
  [
    "callback: twice, the first counts",
    callback((done) => {
      done(null, rubbish(reject("One")));
      done();
    }),
    "550 5.7.1 One",
  ],
  [
    "callback: an error after the answer",
    callback((done) => {
      done();
      done(new Error("late"));
    }),
    "250 2.1.5 Recipient ok",
  ],
  [
    "callback: throws after the answer",
    callback((done) => {
      done();
      throw new Error("late");
    }),
    "250 2.1.5 Recipient ok",
  ],
];

test.each(twice)("%s, and the log says so", async (_, tap, reply) => {
  const log = recorder();
  const { say, hear } = await open({ plugins: [sink(), bad(tap)], log });
  say(...opened, "RCPT TO:<joe@example.com>", "NOOP");
  expect((await hear(10)).at(-2)).toBe(reply);
  expect(log.lines).toEqual([
    expect.stringMatching(/^warn: plugin bad answered twice in rcpt, the first answer counts(: late)?$/),
  ]);
});

test.each(good)("%s", async (_, tap, reply) => {
  const log = recorder();
  const { say, hear } = await open({ plugins: [sink(), bad(tap)], log });
  say(...opened, "RCPT TO:<joe@example.com>", "NOOP");
  expect((await hear(10)).at(-2)).toBe(reply);
  expect(log.lines).toEqual([]);
});

test("a refusal of another copy of core is a refusal", async () => {
  const foreign = {
    [Symbol.for("mailhost.refusal")]: true,
    reply: { code: 550, status: "5.7.1", text: "No" },
    close: false,
  };
  const { say, hear } = await open({ plugins: [sink(), bad(sync(() => foreign))] });
  say(...opened, "RCPT TO:<joe@example.com>");
  expect((await hear(9)).at(-1)).toBe("550 5.7.1 No");
});

test("disconnect answers and hangs up", async () => {
  const { say, hear, wire } = await open({ plugins: [sink(), bad(sync(() => disconnect("Enough")))] });
  say(...opened, "RCPT TO:<joe@example.com>", "NOOP");
  expect((await hear(10)).at(-1)).toBe("421 4.7.0 Enough");
  expect(wire.ended).toBe(true);
});

describe("time", () => {
  const slow: [what: string, tap: Tap][] = [
    ["a promise that never settles", promise(() => never)],
    ["a callback that never comes", callback(() => {})],
    ["an async function that forgets its callback", callback(async () => {})],
  ];

  test.each(slow)("%s is given up after its deadline", async (_, tap) => {
    const clock = new TestClock();
    const log = recorder();
    const { say, hear } = await open({ plugins: [sink(), bad(tap)], clock, log, timeouts: { tap: 500 } });
    say(...opened, "RCPT TO:<joe@example.com>", "NOOP");
    await hear(8);
    clock.advance(499);
    expect(await hear()).toEqual([]);
    clock.advance(1);
    expect(await hear(2)).toEqual(["451 4.3.0 Temporary local problem", "250 2.0.0 Ok"]);
    expect(log.lines.join()).toContain("no answer within 500 ms");
  });

  test("a tap's own deadline counts before the server's", async () => {
    const clock = new TestClock();
    const tap: Tap = ({ hooks }) => hooks.rcpt.tapPromise({ name: "bad", deadline: 50 }, () => never);
    const { say, hear } = await open({ plugins: [sink(), bad(tap)], clock });
    say(...opened, "RCPT TO:<joe@example.com>");
    await hear(8);
    clock.advance(50);
    expect(await hear(1)).toEqual(["451 4.3.0 Temporary local problem"]);
  });

  test("the signal tells a tap that its time is over, and a tap that answered leaves no timer", async () => {
    const clock = new TestClock();
    let reason: unknown;
    const tap: Tap = ({ hooks }) => {
      hooks.rcpt.tapPromise("quick", async () => {});
      hooks.rcpt.tapPromise("bad", (_recipient, _transaction, _session, signal) => {
        signal.addEventListener("abort", () => (reason = signal.reason));
        return never;
      });
    };
    const { say, hear } = await open({ plugins: [sink(), bad(tap)], clock, timeouts: { tap: 500 } });
    say(...opened, "RCPT TO:<joe@example.com>");
    await hear(8);
    await turn();
    clock.advance(500);
    await hear(1);
    expect(reason).toEqual(new Error("no answer within 500 ms"));
    expect(clock.waiting).toBe(1); // the session's own
  });

  test("sync taps have none, and cost no timer", async () => {
    const clock = new TestClock();
    const { say, hear } = await open({ plugins: [sink(), bad(sync(() => undefined))], clock });
    await hear(1);
    const before = clock.waiting;
    say(...opened, "RCPT TO:<joe@example.com>");
    await hear(8);
    expect(clock.waiting).toBe(before);
  });
});

describe("what a tap did", () => {
  const permit = (recipient: Recipient): void => {
    recipient.permit("local");
    recipient.routeTo({ transport: "sink" });
  };

  test.each<[string, Tap]>([
    ["before it threw", sync((recipient) => (permit(recipient), throwing(new Error("oops"))()))],
    ["before it rejected", promise(async (recipient) => (permit(recipient), throwing(new Error("oops"))()))],
    ["before its callback told an error", callback((done, recipient) => (permit(recipient), done(new Error("oops"))))],
    ["before it returned rubbish", sync((recipient) => (permit(recipient), 1))],
  ])("%s does not count, even when its failures are ignored", async (_, tap) => {
    const plugins = [sink({ everything: false }), bad(tap, { onFailure: "ignore" })];
    const { say, hear } = await open({ plugins });
    say(...opened, "RCPT TO:<joe@example.com>");
    expect((await hear(9)).at(-1)).toBe("550 5.7.1 Relaying denied");
  });

  test.each<[string, Tap]>([
    ["after it returned", sync((recipient) => queueMicrotask(() => permit(recipient)))],
    ["after its promise settled", promise(async (recipient) => void turn().then(() => permit(recipient)))],
    ["after its callback", callback((done, recipient) => (done(), permit(recipient)))],
  ])("%s does not count", async (_, tap) => {
    const held = plugin("held", ({ hooks }) => hooks.rcpt.tapPromise("held", () => turn().then(turn)));
    const { say, hear } = await open({ plugins: [sink({ everything: false }), bad(tap), held] });
    say(...opened, "RCPT TO:<joe@example.com>");
    expect((await hear(9)).at(-1)).toBe("550 5.7.1 Relaying denied");
  });

  test("after its deadline does not count", async () => {
    const clock = new TestClock();
    const late: { permit?: () => void; settle?: (value: undefined) => void } = {};
    const tap = promise(
      (recipient) =>
        new Promise((resolve) => {
          late.permit = () => permit(recipient);
          late.settle = resolve;
        }),
    );
    const held = plugin("held", ({ hooks }) => hooks.rcpt.tapPromise("held", () => turn().then(turn)));
    const plugins = [sink({ everything: false }), bad(tap, { onFailure: "ignore" }), held];
    const { say, hear } = await open({ plugins, clock, timeouts: { tap: 500 } });
    say(...opened, "RCPT TO:<joe@example.com>");
    await hear(8);
    clock.advance(500);
    late.permit?.();
    late.settle?.(undefined);
    expect(await hear(1)).toEqual(["550 5.7.1 Relaying denied"]);
  });

  test("counts in time", async () => {
    const tap = promise(async (recipient) => turn().then(() => permit(recipient)));
    const { say, hear } = await open({ plugins: [sink({ everything: false }), bad(tap)] });
    say(...opened, "RCPT TO:<joe@example.com>");
    expect((await hear(9)).at(-1)).toBe("250 2.1.5 Recipient ok");
  });

  test("a handle kept from one recipient is dead for the next", async () => {
    let kept: Recipient | undefined;
    const tap = sync((recipient) => {
      if (kept !== undefined) permit(kept);
      kept ??= recipient;
    });
    const { say, hear } = await open({ plugins: [sink({ everything: false }), bad(tap)] });
    say(...opened, "RCPT TO:<joe@example.com>", "RCPT TO:<jack@example.com>");
    expect((await hear(10)).slice(-2)).toEqual(["550 5.7.1 Relaying denied", "550 5.7.1 Relaying denied"]);
  });
});
