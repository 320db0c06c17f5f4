import { type Command, type Extension, type Log, type Refused, definePlugin, nobody, row } from "@mailhost/core";
import { TestClock, sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { open, plugin, recorder } from "../support/dialogue.ts";

const fail = (): never => {
  throw new Error("broken on purpose");
};

function broken(extension: Extension) {
  const messages: string[] = [];
  const note = (_fields: object, message: string): void => void messages.push(message);
  const log: Log = { debug: () => {}, info: () => {}, warn: note, error: note };
  const make = definePlugin({
    name: "broken",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      host.extend(extension);
      host.hooks.auth.tap("broken", () => undefined);
    },
  });
  return { messages, options: { plugins: [sink(), make()], log } };
}

const greeted = `
  S: 220 *
  C: HELO client.test
  S: 250 *
`;

test("a gate that throws lets nobody through, and the next command is asked anew", async () => {
  const { messages, options } = broken({ gate: (verb) => (verb === "MAIL" ? fail() : undefined) });
  await transcript(
    options,
    `${greeted}
    C: MAIL FROM:<>
    S: 451 4.3.0 *
    C: NOOP
    S: 250 2.0.0 *
  `,
  );
  expect(messages[0]).toBe("plugin broken failed in its gate: broken on purpose");
});

test("a verb whose syntax or change throws is answered 451, and the session goes on", async () => {
  const { messages, options } = broken({
    verbs: {
      XSYNTAX: row(["ready"], fail, nobody, fail),
      XCHANGE: row(["ready"], (argument) => ({ value: argument }), nobody, fail),
    },
  });
  await transcript(
    options,
    `${greeted}
    C: XSYNTAX
    S: 451 4.3.0 *
    C: XCHANGE
    S: 451 4.3.0 *
    C: NOOP
    S: 250 2.0.0 *
  `,
  );
  expect(messages).toContain("plugin broken failed in verb XSYNTAX: broken on purpose");
});

test("a keyword that throws is left out, a parameter that throws is refused", async () => {
  const { options } = broken({
    keywords: { XBROKEN: fail },
    mailParameters: { XBAD: { octets: 10, problem: fail } },
  });
  await transcript(
    options,
    `
    S: 220 *
    C: EHLO client.test
    S: 250-mx.example.com *
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250 ENHANCEDSTATUSCODES
    C: MAIL FROM:<> XBAD=1
    S: 451 4.3.0 *
    C: MAIL FROM:<>
    S: 250 2.1.0 *
  `,
  );
});

test("a mechanism that throws, at its start or later, is answered 451", async () => {
  const { messages, options } = broken({
    mechanisms: [
      { name: "XSTART", start: fail },
      { name: "XNEXT", start: () => ({ challenge: new Uint8Array(), next: fail }) },
    ],
  });
  await transcript(
    options,
    `${greeted}
    C: AUTH XSTART
    S: 451 4.3.0 *
    C: AUTH XNEXT
    S: 334 *
    C: AAAA
    S: 451 4.3.0 *
    C: NOOP
    S: 250 2.0.0 *
  `,
  );
  expect(messages).toContain("plugin broken failed in mechanism XNEXT: broken on purpose");
});

test("a preamble that throws hangs up", async () => {
  const { messages, options } = broken({ preamble: { kind: "read", octets: 4, read: fail } });
  await transcript(
    options,
    `
    R: PING
    S: <close>
  `,
  );
  expect(messages[0]).toBe("plugin broken failed in its preamble: broken on purpose");
});

/** What JavaScript lets a plugin return, whatever the types say. */
const rubbish = (value: unknown): never => value as never;
const late = (): never => rubbish(Promise.reject(new Error("late")));

test("a promise where nobody waits is a failure, and fails closed", async () => {
  const { messages, options } = broken({
    keywords: { XLATE: late },
    mailParameters: { XLATE: { octets: 10, problem: late } },
    gate: (verb) => (verb === "HELP" ? late() : undefined),
    mechanisms: [
      { name: "XLATE", start: late },
      { name: "XOFFERED", offered: late, start: late },
      { name: "XTRUTHY", offered: () => rubbish("yes"), start: late },
      { name: "XNOBODY", offered: () => rubbish(undefined), start: late },
      { name: "XRUBBISH", start: () => rubbish({}) },
      { name: "XNULL", start: () => rubbish(null) },
      { name: "XREPLY", start: () => ({ refuse: { code: 7, text: "No" } }) },
    ],
  });
  await transcript(
    options,
    `
    S: 220 *
    C: EHLO client.test
    S: 250-mx.example.com *
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-ENHANCEDSTATUSCODES
    S: 250 AUTH XLATE XRUBBISH XNULL XREPLY
    C: HELP
    S: 451 4.3.0 *
    C: AUTH XLATE
    S: 451 4.3.0 *
    C: AUTH XRUBBISH
    S: 451 4.3.0 *
    C: AUTH XNULL
    S: 451 4.3.0 *
    C: AUTH XREPLY
    S: 451 4.3.0 *
    C: AUTH XTRUTHY
    S: 538 *
    C: MAIL FROM:<> XLATE=1
    S: 451 4.3.0 *
    C: NOOP
    S: 250 2.0.0 *
  `,
  );
  expect(messages).toContain("plugin broken failed in its gate: it returned a promise");
  expect(messages).toContain("plugin broken failed in mechanism XRUBBISH: it returned {}");
});

test("a reply that may not be sent is a failure of the gate or the parameter that gave it", async () => {
  const unsound = { code: 250, text: "Grüße" };
  const { messages, options } = broken({
    gate: (verb) => (verb === "HELP" ? unsound : undefined),
    mailParameters: { XBAD: { octets: 10, problem: () => unsound } },
  });
  await transcript(
    options,
    `
    S: 220 *
    C: HELP
    S: 451 4.3.0 *
    C: EHLO client.test
    S: 250-mx.example.com *
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250 ENHANCEDSTATUSCODES
    C: MAIL FROM:<> XBAD=1
    S: 451 4.3.0 *
    C: NOOP
    S: 250 2.0.0 *
  `,
  );
  expect(messages.slice(0, 2)).toEqual([
    'plugin broken failed in its gate: it returned {"code":250,"text":"Grüße"}',
    'plugin broken failed in parameter XBAD: it returned {"code":250,"text":"Grüße"}',
  ]);
});

test("null is nothing", async () => {
  const { options } = broken({
    keywords: { XNULL: () => rubbish(null) },
    mailParameters: { XNULL: { octets: 10, problem: () => rubbish(null) } },
    gate: () => rubbish(null),
  });
  await transcript(
    options,
    `
    S: 220 *
    C: EHLO client.test
    S: 250-mx.example.com *
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250 ENHANCEDSTATUSCODES
    C: MAIL FROM:<> XNULL=1
    S: 250 2.1.0 *
  `,
  );
});

test("a verb may answer later, and one that rejects is answered 451", async () => {
  const verb = (run: Command["run"]): Command => ({ last: true, octets: 512, phases: ["ready"], run });
  const no: Refused = {
    go: "refused",
    reply: { code: 550, status: "5.7.1", text: "No" },
    close: false,
    syntax: false,
  };
  const slow = plugin("slow", ({ hooks }) => hooks.ehlo.tapPromise("slow", async () => {}));
  const { messages, options } = broken({
    verbs: {
      XCHANGE: row(
        ["ready"],
        () => ({ value: { name: "x", extended: true } }),
        (judges, _state, greeting) => judges.greeting(greeting),
        fail,
      ),
      XJUDGE: row(
        ["ready"],
        (argument) => ({ value: argument }),
        async () => fail(),
        fail,
      ),
      XASYNC: row(
        ["ready"],
        (argument) => ({ value: argument }),
        async () => ({ problem: no.reply }),
        fail,
      ),
      XLATER: verb(async () => no),
      XREJECTS: verb(async () => fail()),
      XTHENABLE: verb(() => rubbish({ then: (resolve: (step: Refused) => void) => resolve(no) })),
    },
  });
  await transcript(
    { ...options, plugins: [...options.plugins, slow] },
    `${greeted}
    C: XASYNC
    S: 550 5.7.1 No
    C: XLATER
    S: 550 5.7.1 No
    C: XTHENABLE
    S: 550 5.7.1 No
    C: XREJECTS
    S: 451 4.3.0 *
    C: XJUDGE
    S: 451 4.3.0 *
    C: XCHANGE
    S: 451 4.3.0 *
    C: NOOP
    S: 250 2.0.0 *
  `,
  );
  expect(messages).toContain("plugin broken failed in verb XREJECTS: broken on purpose");
});

const more = { code: 334, text: "More" };
const promising = row(["new"], () => rubbish(Promise.resolve({ value: "" })), nobody, fail);

test.each<[string, Command["run"]]>([
  ["nothing", () => rubbish(undefined)],
  ["a number", () => rubbish(7)],
  ["no step", () => rubbish({ reply: { code: 250, text: "Ok" } })],
  ["a refusal without a reply", () => rubbish({ go: "refused", reply: undefined })],
  [
    "a reply that may not be sent",
    (_judges, state) => ({ go: "on", reply: { code: 250, text: "\r\n221 Bye" }, state }),
  ],
  ["a step nobody knows", () => rubbish({ go: "away", reply: { code: 250, text: "Ok" } })],
  ["a step without its state", () => rubbish({ go: "on", reply: { code: 250, text: "Ok" } })],
  ["a body of no transaction", () => rubbish({ go: "body", reply: { code: 354, text: "Go" } })],
  ["a step that is not gone on from", () => rubbish({ go: "line", reply: more, tooLong: more, octets: 80 })],
  ["a client whose address is no text", () => rubbish({ go: "assume", client: { address: 7 } })],
  ["a client whose address is two lines", () => ({ go: "assume", client: { address: "::1\r\n250 2" } })],
  ["a client whose identity has no name", () => ({ go: "assume", client: { identity: { name: "" } } })],
  ["a state in which something is missing", () => rubbish({ go: "on", reply: more, state: { phase: "mail" } })],
  ["an identity without a name", (_judges, state) => rubbish({ go: "on", reply: more, state, identity: {} })],
  ["nothing, later", () => rubbish(Promise.resolve())],
  ["what its syntax promises", (...asked) => promising.run(...asked)],
])("a verb that comes to %s is answered 451, and the session goes on", async (_, run) => {
  const { messages, options } = broken({ verbs: { XRUBBISH: { last: true, octets: 512, phases: ["new"], run } } });
  await transcript(
    options,
    `
    S: 220 *
    C: XRUBBISH
    S: 451 4.3.0 *
    C: NOOP
    S: 250 2.0.0 *
  `,
  );
  expect(messages[0]).toContain("plugin broken failed in verb XRUBBISH: it came to ");
});

describe.each<[string, (resume: () => never) => unknown, string]>([
  ["a line", (resume) => ({ go: "line", reply: more, octets: 80, tooLong: more, resume }), "334 More"],
  ["an identity", (resume) => ({ go: "credentials", credentials: { kind: "proven", username: "joe" }, resume }), ""],
])("a verb that asked for %s", (_, step, asked) => {
  const again = () => rubbish({ go: "line", reply: more, octets: 80, tooLong: more, resume: fail });
  test.each<[string, () => never, string]>([
    ["throws", fail, "broken on purpose"],
    ["asks again, then throws", again, "broken on purpose"],
    ["promises a step", () => rubbish(Promise.resolve({ go: "close", reply: more })), "it returned a promise"],
    ["rejects", late, "it returned a promise"],
    ["comes to nothing", () => rubbish(undefined), "it returned undefined"],
    ["comes to no step", () => rubbish({ go: "away" }), 'it returned {"go":"away"}'],
  ])("and %s is answered 451 where it stood, and the session goes on", async (_how, resume, what) => {
    const run: Command["run"] = () => rubbish(step(resume));
    const { messages, options } = broken({ verbs: { XASK: { last: true, octets: 512, phases: ["ready"], run } } });
    const known = plugin("known", ({ hooks }) => hooks.auth.tap("known", (sent) => sent.identify({ name: "joe" })));
    const lines = [asked, resume === again ? "334 More" : ""].filter((line) => line !== "");
    await transcript(
      { ...options, plugins: [...options.plugins, known] },
      `${greeted}
      C: XASK
      ${lines.map((line) => `S: ${line}\n      C: what was asked for`).join("\n      ")}
      S: 451 4.3.0 *
      C: MAIL FROM:<>
      S: 250 2.1.0 *
    `,
    );
    expect(messages).toContain(`plugin broken failed in verb XASK: ${what}`);
  });
});

test("a verb is given up though the thenable it returned gives another that never settles", async () => {
  const clock = new TestClock();
  const run: Command["run"] = () =>
    rubbish({ then: (resolve: (step: unknown) => void) => resolve({ then: () => {} }) });
  const { options } = broken({ verbs: { XNEVER: { last: true, octets: 512, phases: ["new"], run } } });
  const { say, hear } = await open({ ...options, clock, timeouts: { tap: 1000 } });
  await hear(1);
  say("XNEVER");
  await hear();
  clock.advance(1000);
  expect(await hear(1)).toEqual(["451 4.3.0 Temporary local problem"]);
});

test.each([
  ["nothing", undefined],
  ["a thenable of another making", { then: (resolve: (no: object) => void) => resolve({ value: "" }) }],
])("a judge of a row that gives %s lets nobody through", async (_, judged) => {
  const taken: Extension = {
    verbs: {
      XJUDGE: row(
        ["new"],
        (argument) => ({ value: argument }),
        () => rubbish(judged),
        (state) => ({ go: "on", reply: { code: 250, text: "Taken" }, state }),
      ),
    },
  };
  const { options } = broken(taken);
  await transcript(options, "S: 220 *\nC: XJUDGE\nS: 451 4.3.0 *\nC: NOOP\nS: 250 2.0.0 *");
});

test.each([
  ["a promise", Promise.resolve({ used: 0, client: {} })],
  ["no count", { client: {} }],
  ["a count below nothing", { used: -1, client: {} }],
])("a preamble that returns %s hangs up", async (_, value) => {
  const { messages, options } = broken({ preamble: { kind: "read", octets: 20, read: () => rubbish(value) } });
  await transcript(options, "C: PROXY\nS: <close>");
  expect(messages[0]).toContain("plugin broken failed in its preamble: it returned");
});

test("a verb that never answers is given up; one that waits for a judge is not late", async () => {
  const clock = new TestClock();
  const log = recorder();
  let judged: (() => void) | undefined;
  const never: Command = { phases: ["new", "ready"], last: true, octets: 512, run: () => new Promise(() => {}) };
  const asking: Command = {
    phases: ["new", "ready"],
    last: true,
    octets: 512,
    async run(judges, state) {
      await judges.greeting({ name: "x", extended: true });
      return { go: "on", reply: { code: 250, text: "Asked" }, state };
    },
  };
  const own = plugin("own", (host) => {
    host.extend({ verbs: { XNEVER: never, XASK: asking } });
    host.hooks.ehlo.tapAsync({ name: "own", deadline: 3000 }, (_greeting, _session, _signal, done) => {
      judged = () => done();
    });
  });
  const { say, hear } = await open({ plugins: [sink(), own], clock, log, timeouts: { tap: 1000 } });
  await hear(1);
  say("XNEVER");
  clock.advance(999);
  expect(await hear()).toEqual([]);
  clock.advance(1);
  expect(await hear(1)).toEqual(["451 4.3.0 Temporary local problem"]);
  expect(log.lines).toEqual(["error: plugin own failed in verb XNEVER: no answer within 1000 ms"]);
  say("XASK");
  clock.advance(2000);
  expect(await hear()).toEqual([]);
  judged?.();
  expect(await hear(1)).toEqual(["250 Asked"]);
  expect(log.lines).toHaveLength(1);
  say("NOOP");
  expect(await hear(1)).toEqual(["250 2.0.0 Ok"]);
});

test("vocabulary that keeps failing is reported as a failing plugin", async () => {
  const log = recorder();
  const own = plugin("own", (host) => host.extend({ gate: fail }));
  const { say, hear, server } = await open({ plugins: [sink(), own], log });
  say(...Array.from({ length: 6 }, () => "NOOP"));
  await hear(7);
  expect(server.failing).toMatchObject([{ plugin: "own", failures: 6, calls: 6 }]);
  expect(log.lines.join()).toContain("plugin own is failing: 5 of 5 calls failed in 0 s (100 %)");
});
