import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Exchange, Mechanism, Step } from "../../src/protocol/machine.ts";
import { replies } from "../../src/protocol/replies.ts";
import { contextOf, fresh, mail, ready, rcpt, run, session, transaction } from "../support/rows.ts";

const states = [fresh, ready, mail, rcpt];

describe("EHLO and HELO", () => {
  test.each(states)("begin anew, whatever was: %j", (state) => {
    const begun = (extended: boolean) => ({ phase: "ready", greeting: { name: "new.test", extended } });
    expect(run("EHLO", state, "new.test")).toEqual({
      go: "on",
      reply: { code: 250, text: ["MX.Example.com greets 192.0.2.1", "PIPELINING", "8BITMIME"] },
      state: begun(true),
    });
    expect(run("HELO", state, "new.test")).toEqual({
      go: "on",
      reply: { code: 250, text: "MX.Example.com" },
      state: begun(false),
    });
  });

  test("tell each client its own, whatever those before were told", () => {
    const client = fc.record({
      address: fc.constantFrom("192.0.2.1", "192.0.2.2", "2001:db8::1"),
      keywords: fc.subarray(["PIPELINING", "8BITMIME", "STARTTLS", "AUTH PLAIN"]),
    });
    fc.assert(
      fc.property(fc.array(client, { maxLength: 8 }), (clients) => {
        for (const { address, keywords } of clients) {
          const its = { ...session, client: { ...session.client, address } };
          const step = run("EHLO", fresh, "new.test", contextOf({ session: its, keywords: () => keywords }));
          expect(step).toMatchObject({ reply: { text: [`MX.Example.com greets ${address}`, ...keywords] } });
        }
      }),
    );
  });
});

describe("a transaction", () => {
  test("is opened by MAIL, with what MAIL said", () => {
    const { greeting } = ready;
    expect(run("MAIL", ready, "FROM:<> SIZE=10")).toEqual({
      go: "on",
      reply: replies.senderOk,
      state: { phase: "mail", greeting, transaction: { ...transaction, parameters: new Map([["SIZE", "10"]]) } },
    });
    expect(run("MAIL", ready, "FROM:<jane@example.com>")).toMatchObject({
      state: { transaction: { reversePath: { localPart: "jane", domain: "example.com" } } },
    });
  });

  test.each([mail, rcpt])("has a recipient more after RCPT", (state) => {
    const context = contextOf();
    expect(run("RCPT", state, "TO:<joe@example.com>", context)).toEqual({
      go: "on",
      reply: replies.recipientOk,
      state: rcpt,
    });
    expect(context.accepted.map(({ address, route }) => [address.text, route.transport])).toEqual([
      ["joe@example.com", "box"],
    ]);
  });

  test("without recipients has no body, and goes on (RFC 5321 §3.3)", () => {
    expect(run("DATA", mail, "")).toEqual({ go: "on", reply: replies.noValidRecipients, state: mail });
  });

  test("is over when its body begins, the greeting is not", () => {
    expect(run("DATA", rcpt, "")).toEqual({ go: "body", reply: replies.startBody, transaction, state: ready });
  });

  test.each([
    [fresh, fresh],
    [ready, ready],
    [mail, ready],
    [rcpt, ready],
  ])("%j is %j after RSET", (before, after) => {
    expect(run("RSET", before, "")).toEqual({ go: "on", reply: replies.ok, state: after });
  });

  test.each(states)("is left alone by what asks and changes nothing: %j", (state) => {
    expect(run("NOOP", state, "")).toEqual({ go: "on", reply: replies.ok, state });
    expect(run("VRFY", state, "joe")).toEqual({ go: "on", reply: replies.cannotVerify, state });
    expect(run("EXPN", state, "staff")).toEqual({ go: "on", reply: replies.notImplemented, state });
    expect(run("HELP", state, "")).toEqual({
      go: "on",
      reply: { code: 214, status: "2.0.0", text: "Commands: EHLO QUIT" },
      state,
    });
  });

  test.each(states)("ends with QUIT: %j", (state) => {
    expect(run("QUIT", state, "")).toEqual({ go: "close", reply: replies.bye });
  });
});

/** A mechanism that gives back what it got, as a name; asks for it where nothing was sent. */
const echo: Mechanism = {
  name: "XECHO",
  start: (initial) => {
    const proven = (octets: Uint8Array): Exchange => ({
      credentials: { kind: "proven", username: new TextDecoder().decode(octets) },
    });
    return initial === undefined ? { challenge: new TextEncoder().encode("Name"), next: proven } : proven(initial);
  },
};
const refusing: Mechanism = { name: "XNO", start: () => ({ refuse: { code: 535, status: "5.7.8", text: "No" } }) };
const secret: Mechanism = { ...echo, name: "XSECRET", offered: ({ tls }) => tls !== undefined };
const clear: Mechanism = { ...echo, name: "XCLEAR", offered: ({ tls }) => tls === undefined };
const tls = { protocol: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" };

const mechanisms = new Map([echo, refusing, secret, clear].map((mechanism) => [mechanism.name, mechanism]));
const auth = (argument: string, more = session) =>
  run("AUTH", ready, argument, contextOf({ mechanisms, session: more, authLineOctets: 400 }));
const stays = (reply: unknown) => ({ go: "on", reply, state: ready });

/** The exchange after one more line. */
function answered(step: ReturnType<typeof auth>, line: string): Step {
  if (step.go !== "line") throw new Error(`nobody asks, but ${step.go}`);
  return step.resume(line);
}

describe("AUTH (RFC 4954 §4)", () => {
  test("is refused to who is known, where there is none, and for what there is not", () => {
    expect(auth("XECHO", { ...session, identity: { name: "jane" } })).toEqual(stays(replies.alreadyAuthenticated));
    expect(run("AUTH", ready, "XECHO")).toEqual(stays(replies.notImplemented));
    expect(auth("XFOO")).toEqual(stays(replies.unknownMechanism));
  });

  test("wants TLS for a mechanism that is offered under TLS alone", () => {
    expect(auth("XSECRET =")).toEqual(stays(replies.authNeedsTls));
    expect(auth("XSECRET =", { ...session, tls }).go).toBe("credentials");
    expect(auth("XCLEAR =").go).toBe("credentials");
    expect(auth("XCLEAR =", { ...session, tls })).toEqual(stays(replies.unknownMechanism));
  });

  test.each([
    ["xecho amFuZQ==", "jane"],
    ["XECHO =", ""],
  ])("%s hands over %j", (argument, username) => {
    const step = auth(argument);
    expect(step).toMatchObject({ go: "credentials", credentials: { kind: "proven", username } });
    const identity = { name: "jane" };
    if (step.go === "credentials")
      expect(step.resume(identity)).toEqual({ go: "on", reply: replies.authenticated, state: ready, identity });
  });

  test.each(["XECHO ==", "XECHO amFuZQ", "XECHO *", "XECHO a=b="])("%s is not base64", (argument) => {
    expect(auth(argument)).toEqual(stays(replies.badBase64));
  });

  test("asks with 334 and the challenge in base64, for a line as long as the listener says", () => {
    expect(auth("XECHO")).toMatchObject({
      go: "line",
      reply: { code: 334, text: "TmFtZQ==" },
      octets: 400,
      tooLong: replies.authLineTooLong,
    });
  });

  test("goes on with the answer, ends with what is none, and is cancelled by an asterisk", () => {
    expect(answered(auth("XECHO"), "amFuZQ==")).toMatchObject({
      go: "credentials",
      credentials: { username: "jane" },
    });
    expect(answered(auth("XECHO"), "")).toMatchObject({ go: "credentials", credentials: { username: "" } });
    expect(answered(auth("XECHO"), "=")).toEqual(stays(replies.badBase64)); // only an initial response is written so
    expect(answered(auth("XECHO"), "amFuZQ")).toEqual(stays(replies.badBase64));
    expect(answered(auth("XECHO"), "*")).toEqual(stays(replies.authCancelled));
  });

  test("is refused as the mechanism says", () => {
    expect(auth("XNO")).toEqual(stays({ code: 535, status: "5.7.8", text: "No" }));
  });
});
