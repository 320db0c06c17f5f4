import { ConfigurationError, type Host, type Session, defineFact, mailhost, row, nobody } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { open, plugin, recorder } from "../support/dialogue.ts";
import { codes, problemsOf } from "../support/problems.ts";

describe("apply", () => {
  test("that throws is a problem with the plugin's name", async () => {
    for (const error of [new Error("no folder"), "no folder"]) {
      const bad = plugin("bad", () => {
        throw error;
      });
      expect(await problemsOf({ plugins: [sink(), bad] })).toMatchObject([
        { code: "APPLY_FAILED", where: "plugins[1]", what: "plugin bad could not be set up: no folder" },
      ]);
    }
    const rejecting = plugin("bad", () => Promise.reject(new Error("later")));
    expect(codes(await problemsOf({ plugins: [sink(), rejecting] }))).toEqual(["APPLY_FAILED"]);
  });

  test("that taps a hook there is not is told which there are", async () => {
    const misspelt = (name: string) =>
      plugin("bad", ({ hooks }) => {
        Reflect.get(hooks, name);
      });
    const told = async (name: string) =>
      (await problemsOf({ plugins: [sink(), misspelt(name)] })).map(({ where, what, mend }) => [where, what, mend]);
    expect(await told("rctp")).toEqual([["plugins[1]", "plugin bad: there is no hook rctp", "Did you mean rcpt?"]]);
    expect(await told("recipient")).toEqual([
      [
        "plugins[1]",
        "plugin bad: there is no hook recipient",
        "There are: connect, ehlo, auth, rcpt, data, queue, trace.",
      ],
    ]);
  });

  test("may give back its hooks, or write them out", async () => {
    let written = "";
    const open = plugin("open", async ({ hooks }) => {
      written = JSON.stringify(hooks);
      return hooks as never; // as plain JavaScript may
    });
    expect(await problemsOf({ plugins: [sink(), open] })).toEqual([]);
    expect(written).toContain('"rcpt"');
  });

  test("that taps with what is no tap is told, instead of the first client", async () => {
    const told = async (options: unknown, judge: unknown = () => undefined) => {
      const bad = plugin("bad", ({ hooks }) => hooks.rcpt.tap(options as never, judge as never));
      return (await problemsOf({ plugins: [sink(), bad] })).map(({ where, what, mend }) => `${where} ${what}. ${mend}`);
    };
    const begin = "plugins[1] plugin bad: a tap of rcpt";
    expect(await told({ name: "x", stgae: "last" })).toEqual([`${begin} has no option stgae. Did you mean stage?`]);
    expect(await told({ name: "x", stage: "lats" })).toEqual([`${begin} x has no stage lats. Did you mean last?`]);
    expect(await told({ name: "x", stage: "early" })).toEqual([
      `${begin} x has no stage early. There are: first, normal, last.`,
    ]);
    expect(await told({ name: "x", onFailure: "ingore" })).toEqual([
      `${begin} x has no onFailure ingore. Did you mean ignore?`,
    ]);
    for (const deadline of ["5s", 0, -1, NaN, Infinity])
      expect(await told({ name: "x", deadline })).toEqual([
        `${begin} x: deadline cannot be ${JSON.stringify(deadline).replaceAll('"', "")}. Give it in milliseconds: deadline: 5000.`,
      ]);
    for (const key of ["before", "after"])
      expect(await told({ name: "x", [key]: "greylist" })).toEqual([
        `${begin} x: ${key} cannot be greylist. Name plugins in an array: ${key}: ["greylist"].`,
      ]);
    expect(await told({ name: "x", identifies: "yes" })).toEqual([
      `${begin} x: identifies cannot be yes. Say identifies: false, or leave it out.`,
    ]);
    const nameless = `${begin} has no name. Give it one for logs: tap("greet", …), tap({ name: "greet" }, …).`;
    for (const options of [{}, " ", undefined]) expect(await told(options)).toEqual([nameless]);
    expect(await told("x", "y")).toEqual([
      `${begin} x is no function. Put the function behind the name or the options.`,
    ]);
  });

  test("may tell problems of its own, below its place", async () => {
    const problem = { code: "BAD_FILE", where: "options.users", what: "it is not there", mend: "Make it." } as const;
    const bad = plugin("bad", () => {
      throw new ConfigurationError([problem, { ...problem, where: "" }]);
    });
    expect((await problemsOf({ plugins: [sink(), bad] })).map(({ where }) => where)).toEqual([
      "plugins[1].options.users",
      "plugins[1]",
    ]);
  });

  test("that fails has closed what others opened, in reverse order", async () => {
    const diary: string[] = [];
    const opener = plugin("opener", (host) => {
      host.onClose(() => void diary.push("first"));
      host.onClose(async () => void diary.push("second"));
    });
    const bad = plugin("bad", () => {
      throw new Error("no");
    });
    await problemsOf({ plugins: [sink(), opener, bad] });
    expect(diary).toEqual(["second", "first"]);
  });

  test("is over: nothing can be tapped, extended or watched any more", async () => {
    let host: Host | undefined;
    await open({ plugins: [sink(), plugin("late", (given) => void (host = given))] });
    expect(() => host?.hooks.rcpt.tap("late", () => {})).toThrow(ConfigurationError);
    expect(() => host?.hooks.queue.for("sink").tapPromise("late", async () => {})).toThrow(ConfigurationError);
    expect(() => host?.hooks.trace.tap("late", () => {})).toThrow("after the server was sealed");
    expect(() => host?.extend({})).toThrow("after the server was sealed");
  });

  test("sees nothing of tapable", async () => {
    let host: Host | undefined;
    await open({ plugins: [sink(), plugin("curious", (given) => void (host = given))] });
    expect(Object.keys(host?.hooks ?? {}).toSorted()).toEqual([
      "auth",
      "connect",
      "data",
      "ehlo",
      "queue",
      "rcpt",
      "trace",
    ]);
    expect(Object.keys(host?.hooks.rcpt ?? {})).toEqual(["tap", "tapAsync", "tapPromise"]);
    expect(host?.listener).toEqual({
      name: "2525",
      serverName: "mx.example.com",
      mode: "transfer",
      implicitTls: false,
    });
  });
});

/** Somebody has to judge what mechanisms are told. */
const judge = plugin("judge", (host) => host.hooks.auth.tap("judge", () => undefined));

describe("two owners", () => {
  const verb = row(
    ["ready"],
    () => ({ value: undefined }),
    nobody,
    (state) => ({ go: "on", reply: { code: 250, text: "x" }, state }),
  );
  const upgrade = { upgrade: "test" };
  test.each<[string, Parameters<Host["extend"]>[0]]>([
    ["verb XFOO", { verbs: { xfoo: verb } }],
    ["keyword XFOO", { keywords: { XFoo: () => "" } }],
    ["MAIL parameter XFOO", { mailParameters: { xfoo: { octets: 5, problem: () => undefined } } }],
    ["RCPT parameter XFOO", { rcptParameters: { xfoo: { octets: 5, problem: () => undefined } } }],
    ["mechanism XFOO", { mechanisms: [{ name: "XFOO", start: () => ({ refuse: { code: 504, text: "x" } }) }] }],
    ["transport xfoo", { transports: [{ name: "xfoo", kind: "local", phases: "two" }] }],
    ["preamble", { preamble: { kind: "upgrade", upgrade } }],
  ])("of one %s are a problem that names both", async (what, extension) => {
    const plugins = [
      sink(),
      judge,
      plugin("one", (host) => host.extend(extension)),
      plugin("two", (host) => host.extend(extension)),
    ];
    expect(await problemsOf({ plugins })).toMatchObject([
      { code: "TWO_OWNERS", what: `two and one both provide ${what}` },
    ]);
  });

  test.each(["MAIL", "noop"])("nobody takes %s from core", async (name) => {
    const problems = await problemsOf({
      plugins: [sink(), plugin("one", (host) => host.extend({ verbs: { [name]: verb } }))],
    });
    expect(problems).toMatchObject([
      { code: "TWO_OWNERS", what: `one and core both provide verb ${name.toUpperCase()}` },
    ]);
  });

  test("what a plugin gives is told", async () => {
    const all = plugin("all", (host) =>
      host.extend({
        keywords: { XFOO: () => "" },
        verbs: { XFOO: verb },
        mechanisms: [{ name: "XFOO", start: () => ({ refuse: { code: 504, text: "x" } }) }],
        transports: [{ kind: "relay", phases: "one" }],
        permits: [{ kind: "local", what: "domain shop.test" }],
      }),
    );
    const { server } = await open({ plugins: [sink(), all, judge] });
    const [generation] = server.generations;
    expect(generation?.plugins[1]?.provides).toEqual([
      "keyword XFOO",
      "verb XFOO",
      "mechanism XFOO",
      "relay transport all",
    ]);
    expect(generation?.vocabulary.permits).toEqual([{ kind: "local", what: "domain shop.test", plugin: "all" }]);
  });
});

describe("what no plugin can see alone", () => {
  const relay = plugin("relay", (host) => host.extend({ transports: [{ kind: "relay", phases: "two" }] }));

  test("nobody takes messages", async () => {
    expect(codes(await problemsOf({ plugins: [] }))).toEqual(["NO_HANDLER"]);
  });

  test("nobody judges what a mechanism is told", async () => {
    const words = plugin("words", (host) =>
      host.extend({ mechanisms: [{ name: "XFOO", start: () => ({ refuse: { code: 504, text: "x" } }) }] }),
    );
    expect(await problemsOf({ plugins: [sink(), words] })).toMatchObject([
      { code: "NO_VERIFIER", what: "AUTH XFOO takes credentials that no plugin checks, so every login would fail" },
    ]);
    const guard = plugin("guard", ({ hooks }) => hooks.auth.tap({ name: "guard", identifies: false }, () => {}));
    expect(codes(await problemsOf({ plugins: [sink(), words, guard] }))).toEqual(["NO_VERIFIER"]);
    expect(await problemsOf({ plugins: [sink(), words, guard, judge] })).toEqual([]);
  });

  test("a default that nobody provides, or of the other kind", async () => {
    expect(await problemsOf({ plugins: [sink()], default: { local: "maildir" } })).toMatchObject([
      {
        code: "BAD_LISTENER",
        where: "listeners[0].default.local",
        what: "no plugin provides the transport maildir",
        mend: "Use one of: sink.",
      },
    ]);
    expect(await problemsOf({ plugins: [sink()], default: { relay: "sink" } })).toMatchObject([
      { what: "transport sink is local, not relay", mend: "No plugin provides a relay transport." },
    ]);
    expect(await problemsOf({ plugins: [sink(), relay], default: { local: "sink", relay: "relay" } })).toEqual([]);
  });

  test("a route to a transport that nobody provides, told where it was configured", async () => {
    const routing = (transport: string) =>
      plugin("routing", (host) => host.extend({ routes: [{ transport, where: "options.routes.a" }] }));
    expect(await problemsOf({ plugins: [sink(), routing("snik")] })).toMatchObject([
      { code: "BAD_OPTION", where: "plugins[1].options.routes.a", mend: "Did you mean sink?" },
    ]);
    expect(await problemsOf({ plugins: [sink(), routing("elsewhere")] })).toMatchObject([{ mend: "There are: sink." }]);
    expect(await problemsOf({ plugins: [sink(), routing("sink")] })).toEqual([]);
  });

  test("TLS from the first octet without a plugin that does it", async () => {
    expect(codes(await problemsOf({ plugins: [sink()], listeners: [{ port: 0, tls: "implicit" }] }))).toEqual([
      "NO_TLS",
    ]);
  });
});

test("a fact is known to all who name it, of the thing it is about", () => {
  const one = defineFact<number>("test/fact");
  const same = defineFact<number>("test/fact");
  const other = defineFact<number>("test/other");
  const [session, another] = [{} as Session, {} as Session];
  one.set(session, 7);
  expect([same.of(session), same.of(another), other.of(session)]).toEqual([7, undefined, undefined]);
  expect(one.name).toBe("test/fact");
});

test("a closer that fails is logged and keeps none of the others", async () => {
  const log = recorder();
  const diary: string[] = [];
  const opener = plugin("opener", (host) => {
    host.onClose(() => void diary.push("closed"));
    host.onClose(() => {
      throw new Error("no");
    });
  });
  const server = await mailhost({ plugins: [sink(), opener], log }).prepare();
  await server.close();
  expect(diary).toEqual(["closed"]);
  expect(log.lines).toEqual(["error: plugin opener failed to close: no"]);
});
