import { describe, expect, test } from "vitest";
import { baseCommands, last, row } from "../../src/protocol/commands.ts";
import { type Judges, nobody } from "../../src/protocol/machine.ts";
import { replies } from "../../src/protocol/replies.ts";
import { nothing } from "../../src/protocol/syntax.ts";
import { contextOf, fresh, mail, ready, rcpt, rowOf, run, transaction, yes } from "../support/rows.ts";

const anyPhase = ["new", "ready", "mail", "rcpt"];

/** RFC 5321 §4.1.4 says where each verb may stand, RFC 2920 §3.1 which end a pipelined group. */
const table: [verb: string, phases: string[], last: boolean][] = [
  ["EHLO", anyPhase, true],
  ["HELO", anyPhase, true],
  ["MAIL", ["ready"], false],
  ["RCPT", ["mail", "rcpt"], false],
  ["DATA", ["mail", "rcpt"], true],
  ["RSET", anyPhase, false],
  ["VRFY", anyPhase, true],
  ["EXPN", anyPhase, true],
  ["HELP", anyPhase, false],
  ["NOOP", anyPhase, true],
  ["QUIT", anyPhase, true],
  ["AUTH", ["ready"], true],
];

describe("the table", () => {
  test("has these verbs, in the order HELP tells them", () => {
    expect([...baseCommands.keys()]).toEqual(table.map(([verb]) => verb));
  });

  test.each(table)("%s is legal in %j; ends a group: %j; its line is of 512 octets", (verb, phases, isLast) => {
    expect(rowOf(verb)).toMatchObject({ phases, last: isLast, octets: 512 });
  });

  test("a plugin's row says for itself how long its line is", () => {
    expect(row(["ready"], nothing, nobody, () => ({ go: "close", reply: replies.bye }), 1000)).toMatchObject({
      phases: ["ready"],
      last: false,
      octets: 1000,
    });
    expect(last(["new"], nothing, nobody, () => ({ go: "close", reply: replies.bye }), 2000)).toMatchObject({
      phases: ["new"],
      last: true,
      octets: 2000,
    });
  });
});

describe("what a row takes", () => {
  test.each([
    ["EHLO", fresh, "", replies.badGreeting],
    ["HELO", fresh, "", replies.badGreeting],
    ["MAIL", ready, "", replies.badMail],
    ["RCPT", mail, "", replies.badRcpt],
    ["DATA", rcpt, "now", replies.noArgument],
    ["RSET", fresh, "now", replies.noArgument],
    ["VRFY", fresh, "", replies.needsArgument],
    ["QUIT", fresh, "now", replies.noArgument],
    ["AUTH", ready, "", replies.needsArgument],
  ] as const)("%s in %j not with %j", (verb, state, argument, reply) => {
    expect(run(verb, state, argument)).toEqual({ go: "refused", reply, close: false, syntax: true });
  });

  test.each(["", "anything goes"])("EXPN, HELP and NOOP: %j", (argument) => {
    expect(run("EXPN", fresh, argument)).toEqual({ go: "on", reply: replies.notImplemented, state: fresh });
    expect(run("NOOP", mail, argument)).toEqual({ go: "on", reply: replies.ok, state: mail });
    expect(run("HELP", ready, argument)).toMatchObject({ go: "on", state: ready });
  });
});

describe("who judges", () => {
  const no = { problem: { code: 550, text: "No" } };
  const noJudge: Judges = {
    greeting: () => no,
    credentials: () => no,
    recipient: () => ({ ...no, close: true }),
  };

  test.each(["EHLO", "HELO"])("a refusal of %s leaves all as it was, and is no fault of syntax", (verb) => {
    const refused = { go: "refused", reply: no.problem, close: false, syntax: false };
    expect(run(verb, mail, "client.test", contextOf(), noJudge)).toEqual(refused);
  });

  test("a refusal may hang up", () => {
    const refused = { go: "refused", reply: no.problem, close: true, syntax: false };
    expect(run("RCPT", mail, "TO:<joe@example.com>", contextOf(), noJudge)).toEqual(refused);
  });

  test("nobody is asked about MAIL, DATA and what changes nothing", () => {
    expect(run("MAIL", ready, "FROM:<>", contextOf(), noJudge).go).toBe("on");
    expect(run("DATA", rcpt, "", contextOf(), noJudge).go).toBe("body");
    expect(run("RSET", rcpt, "", contextOf(), noJudge).go).toBe("on");
    expect(run("QUIT", rcpt, "", contextOf(), noJudge).go).toBe("close");
  });

  test("nobody says yes to what was parsed", () => {
    expect(nobody(noJudge, fresh, "parsed")).toEqual({ value: "parsed" });
  });

  test("a recipient beyond ASCII is asked about where MAIL said SMTPUTF8 (RFC 6531 §3.5)", () => {
    const refused = { go: "refused", reply: replies.needsSmtputf8Recipient, close: false, syntax: false };
    expect(run("RCPT", mail, "TO:<jürgen@example.com>")).toEqual(refused);
    const international = { ...mail, transaction: { ...transaction, smtputf8: true } };
    expect(run("RCPT", international, "TO:<jürgen@example.com>")).toMatchObject({ reply: replies.recipientOk });
    expect(run("RCPT", mail, "TO:<joe@example.com>")).toMatchObject({ reply: replies.recipientOk });
  });

  test("a judge is told the path and the transaction", () => {
    const asked: unknown[] = [];
    const judges: Judges = {
      ...yes,
      recipient: (path, of) => {
        asked.push([path.address.text, of]);
        return yes.recipient(path, of);
      },
    };
    run("RCPT", rcpt, "TO:<joe@example.com>", contextOf(), judges);
    expect(asked).toEqual([["joe@example.com", transaction]]);
  });

  test.each([
    ["keeps", async () => ({ value: "" }), "it came to a promise of its syntax"],
    ["breaks", () => Promise.reject(new Error("broken on purpose")), "broken on purpose"],
  ])("a syntax that %s its promise is the row's failure, for whoever runs it to hear of", async (_, promise, words) => {
    const promising = row(["new"], promise as never, nobody, () => ({ go: "close", reply: replies.bye }));
    await expect(promising.run(noJudge, fresh, "", contextOf())).rejects.toThrow(words);
  });
});
