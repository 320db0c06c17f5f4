import {
  type AcceptedRecipient,
  type Command,
  type Context,
  type Host,
  type Judges,
  type Step,
  row,
} from "@mailhost/core";
import { TestClock, sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { open, plugin, recorder, turn } from "../support/dialogue.ts";
import { fail, rubbish } from "../support/wrong.ts";

// What a plugin's verb does to the transaction counts once it has answered, in time and without failing (P7).

const address = { localPart: "joe", domain: "example.com", text: "joe@example.com" };
const joe: AcceptedRecipient = { address, parameters: new Map(), kind: "local", route: { transport: "sink" } };

/** What a verb has at hand. */
interface AtHand {
  readonly judges: Judges;
  readonly context: Context;
  /** Takes joe in. */
  readonly take: () => void;
  readonly taken: Step;
}

const verb = (answer: (at: AtHand) => Step | Promise<Step>): Command => ({
  phases: ["mail"],
  last: true,
  octets: 512,
  run(judges, state, _argument, context) {
    if (state.phase !== "mail") throw new Error("it stands in mail alone");
    const take = (): void => context.accept(state.transaction, joe);
    const taken: Step = { go: "on", reply: { code: 250, text: "Taken" }, state: { ...state, phase: "rcpt" } };
    return answer({ judges, context, take, taken });
  },
});

/** A dialogue up to the verb, and what is asked and received behind it. */
async function saying(command: Command, more: (host: Host) => void = () => {}) {
  const clock = new TestClock();
  const box = sink();
  const log = recorder();
  const own = plugin("own", (host) => {
    host.extend({ verbs: { XTAKE: command } });
    more(host);
  });
  const held = await open({ plugins: [box, own], clock, log, timeouts: { tap: 1000 } });
  held.say("HELO client.test", "MAIL FROM:<>");
  await held.hear(3);
  held.say("XTAKE");
  return { ...held, clock, log, recipients: () => box.messages.map(({ recipients }) => recipients) };
}
const temporary = "451 4.3.0 Temporary local problem";
const noneYet = "554 5.5.1 No valid recipients";

test("a verb that answers has taken the recipient in", async () => {
  const { say, hear, recipients } = await saying(verb(({ take, taken }) => (take(), taken)));
  say("DATA", "text", ".");
  expect(await hear(3)).toEqual(["250 Taken", expect.stringMatching(/^354 /), expect.stringMatching(/^250 /)]);
  expect(recipients()).toEqual([["joe@example.com"]]);
});

test("one that answers later, too", async () => {
  const slow = verb(async ({ take, taken }) => {
    await turn();
    take();
    return taken;
  });
  const { say, hear } = await saying(slow);
  expect(await hear(1)).toEqual(["250 Taken"]);
  say("DATA");
  expect(await hear(1)).toEqual([expect.stringMatching(/^354 /)]);
});

test("one that takes a recipient in and then fails has taken nobody in", async () => {
  const { say, hear } = await saying(verb(({ take }) => (take(), fail())));
  expect(await hear(1)).toEqual([temporary]);
  say("DATA");
  expect(await hear(1)).toEqual([noneYet]);
});

test("one that was given up changes nothing any more, and asks nobody", async () => {
  let goOn: () => void = () => {};
  let asked = 0;
  let heard: unknown;
  const late = verb(async ({ take, taken, judges, context }) => {
    await new Promise<void>((resolve) => (goOn = resolve));
    take();
    const begun = context.openTransaction(null, new Map());
    heard = await judges.recipient({ address, parameters: new Map() }, begun);
    return taken;
  });
  const { say, hear, clock, log } = await saying(late, ({ hooks }) => hooks.rcpt.tap("own", () => void (asked += 1)));
  await hear();
  clock.advance(1000);
  expect(await hear(1)).toEqual([temporary]);
  goOn();
  await turn();
  say("RCPT TO:<joe@example.com>", "RCPT TO:<ann@example.com>");
  expect(await hear(2)).toHaveLength(2);
  expect(asked).toBe(2);
  expect(heard).toEqual({ problem: expect.objectContaining({ code: 451 }) });
  expect(log.lines).toEqual(["error: plugin own failed in verb XTAKE: no answer within 1000 ms"]);
});

test("a row whose own judge was given up takes nobody in when it answers", async () => {
  let answer: (joe: { value: AcceptedRecipient }) => void = () => {};
  const late = row(
    ["mail"],
    (argument) => ({ value: argument }),
    () => new Promise<{ value: AcceptedRecipient }>((resolve) => (answer = resolve)),
    (state, recipient, context) => {
      context.accept(state.transaction, recipient);
      return { go: "on", reply: { code: 250, text: "Taken" }, state: { ...state, phase: "rcpt" } };
    },
  );
  const { say, hear, clock, recipients } = await saying(late);
  await hear();
  clock.advance(1000);
  expect(await hear(1)).toEqual([temporary]);
  answer({ value: joe });
  await turn();
  say("RCPT TO:<ann@example.com>", "DATA", "text", ".");
  expect(await hear(3)).toEqual([
    expect.stringMatching(/^250 /),
    expect.stringMatching(/^354 /),
    expect.stringMatching(/^250 /),
  ]);
  expect(recipients()).toEqual([["ann@example.com"]]);
});

test("what it does behind its answer is too late", async () => {
  let late: () => void = () => {};
  const { say, hear } = await saying(
    verb(({ take, taken }) => {
      late = take;
      return { ...taken, reply: { code: 250, text: "None" } };
    }),
  );
  expect(await hear(1)).toEqual(["250 None"]);
  late();
  say("RSET", "MAIL FROM:<>", "DATA");
  expect((await hear(3)).at(-1)).toBe(noneYet);
});

test.each([
  ["takes one in", () => {}, "354 "],
  ["takes one in and fails", fail, "554 "],
])("a verb that asked for a line and then %s", async (_, then, answered) => {
  const more = { code: 334, text: "More" };
  const asking = verb(({ take, taken }) => ({
    go: "line",
    reply: more,
    octets: 80,
    tooLong: more,
    resume: () => {
      take();
      then();
      return taken;
    },
  }));
  const { say, hear } = await saying(asking);
  say("a line", "DATA");
  expect((await hear(3)).at(-1)?.slice(0, 4)).toBe(answered);
});

test("a verb that asked for a line and then takes in what is no recipient has failed, and the dialogue goes on", async () => {
  const more = { code: 334, text: "More" };
  const asking = verb(({ context, taken }) => ({
    go: "line",
    reply: more,
    octets: 80,
    tooLong: more,
    resume: () => {
      context.accept(rubbish({}), joe);
      return taken;
    },
  }));
  const { say, hear, log } = await saying(asking);
  say("a line", "DATA");
  expect((await hear(3)).slice(1)).toEqual([temporary, noneYet]);
  expect(log.lines).toEqual([expect.stringMatching(/^error: plugin own failed in verb XTAKE: /)]);
});
