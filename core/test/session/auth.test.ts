import { defer, disconnect, reject } from "@mailhost/core";
import { sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { base64, upgrading, words } from "../support/auth.ts";
import { open, plugin, recorder, turn } from "../support/dialogue.ts";

const hold = (text: string) =>
  transcript(
    () => ({ plugins: [sink(), words()] }),
    `
    S: 220 *
    C: EHLO client.test
    S: 250-mx.example.com *
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-ENHANCEDSTATUSCODES
    S: 250 AUTH XWORD XTWICE XCLEAR
    ${text}
  `,
  );

describe("AUTH", () => {
  test("with an initial response", () =>
    hold(`
      C: AUTH XWORD ${base64("jane open")}
      S: 235 2.7.0 Authentication succeeded
      C: AUTH XWORD ${base64("jane open")}
      S: 503 5.5.1 Already authenticated
      C: EHLO client.test
      S: 250-mx.example.com *
      S: 250-PIPELINING
      S: 250-SIZE *
      S: 250-8BITMIME
      S: 250-SMTPUTF8
      S: 250 ENHANCEDSTATUSCODES
    `));

  test("with a challenge of nothing, and with two challenges", () =>
    hold(`
      C: auth xword
      S: 334 
      C: ${base64("jane shut")}
      S: 535 5.7.8 Authentication credentials invalid
      C: AUTH XTWICE
      S: 334 ${base64("Name")}
      C: ${base64("jane")}
      S: 334 ${base64("Password")}
      C: ${base64("open")}
      S: 235 2.7.0 Authentication succeeded
    `));

  test("that the client cancels, or answers with no base64", () =>
    hold(`
      C: AUTH XTWICE
      S: 334 *
      C: *
      S: 501 5.7.0 Authentication cancelled
      C: AUTH XTWICE
      S: 334 *
      C: jane
      S: 334 *
      C: not base64
      S: 501 5.5.2 Not base64
      C: AUTH XWORD ???
      S: 501 5.5.2 Not base64
      C: AUTH XWORD a b
      S: 501 5.5.2 Not base64
      C: AUTH XWORD *
      S: 501 5.5.2 Not base64
      C: NOOP
      S: 250 2.0.0 Ok
    `));

  test("with `=`, which is an initial response of nothing", () =>
    hold(`
      C: AUTH XWORD =
      S: 550 5.7.1 No name
    `));

  test("with what is not offered", () =>
    hold(`
      C: AUTH XFOO
      S: 504 5.5.4 Mechanism not recognized
      C: AUTH XSECRET
      S: 538 5.7.11 Encryption required for that mechanism
      C: AUTH
      S: 501 5.5.4 An argument is required
    `));

  test("with lines that are too long or broken", () =>
    hold(String.raw`
      C: AUTH XWORD ${"A".repeat(12_300)}
      S: 500 5.5.2 Line too long
      C: AUTH XWORD
      S: 334 
      C: ${"A".repeat(12_300)}
      S: 500 5.5.6 Authentication exchange line too long
      C: AUTH XWORD
      S: 334 
      R: AAAA\n
      S: 500 5.5.2 Lines must end with CRLF
      C: AUTH XWORD
      S: 334 
      R: \xff\r\n
      S: 500 5.5.2 Line holds octets that are not allowed
      C: AUTH XWORD ${base64("jane open")}
      S: 235 *
    `));

  test("three guesses, and no more", () =>
    hold(`
      C: AUTH XWORD ${base64("jane shut")}
      S: 535 5.7.8 *
      C: AUTH XTWICE
      S: 334 *
      C: ${base64("joe")}
      S: 334 *
      C: ${base64("open")}
      S: 535 5.7.8 *
      C: AUTH XWORD ${base64("x open")}
      S: 421 4.7.0 Too many failed authentications
      S: <close>
    `));

  test("before MAIL alone, and AUTH= on MAIL is passed over", () =>
    hold(`
      C: MAIL FROM:<> AUTH=<>
      S: 250 2.1.0 *
      C: AUTH XWORD
      S: 503 5.5.1 Bad sequence of commands
      C: RSET
      S: 250 *
      C: MAIL FROM:<> AUTH=jane@example.com
      S: 250 2.1.0 *
    `));
});

test("AUTH without any mechanism is not implemented", () =>
  transcript(
    () => ({ plugins: [sink()] }),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH PLAIN
    S: 502 5.5.1 Command not implemented
    `,
  ));

describe("the auth hook", () => {
  const judging = (refusal: ReturnType<typeof reject>) =>
    transcript.bind(undefined, () => ({
      plugins: [sink(), words(), plugin("judge", ({ hooks }) => hooks.auth.tap("judge", () => refusal))],
    }));
  const login = (reply: string): string => `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH XWORD ${base64("jane open")}
    S: ${reply}
  `;

  test("may refuse whom another plugin knows", async () => {
    await judging(reject("Locked", { code: 535, status: "5.7.8" }))(login("535 5.7.8 Locked"));
    await judging(defer("Busy", { code: 454 }))(login("454 4.7.1 Busy"));
    await judging(disconnect("Enough"))(`${login("421 4.7.0 Enough")}\nS: <close>`);
  });

  test("counts every 5yz as a guess, whatever its code", async () => {
    const again = `C: AUTH XWORD ${base64("jane open")}`;
    await judging(reject("Wrong password"))(`${login("550 5.7.1 Wrong password")}
      ${again}
      S: 550 5.7.1 Wrong password
      ${again}
      S: 421 4.7.0 Too many failed authentications
      S: <close>
    `);
  });

  test("nobody is somebody without a name", async () => {
    for (const nobody of [undefined, null, {}, { name: "" }, { name: 7 }]) {
      const careless = plugin("careless", (host) => {
        host.extend({
          mechanisms: [{ name: "XWORD", start: () => ({ credentials: { kind: "proven", username: "jane" } }) }],
        });
        host.hooks.auth.tap("careless", (sent) => sent.identify(nobody as never));
      });
      await transcript(() => ({ plugins: [sink(), careless], log: recorder() }), login("451 4.3.0 *"));
    }
  });

  test("the first identity counts, and no tap changes what the next one sees", async () => {
    const seen: string[] = [];
    const first = plugin("first", ({ hooks }) => {
      hooks.auth.tap({ name: "first", stage: "first", onFailure: "ignore" }, (sent) => {
        (sent as { username: string }).username = "admin";
      });
      hooks.auth.tap({ name: "second", stage: "first" }, (sent) => void seen.push(sent.username));
      hooks.auth.tap({ name: "third", stage: "last" }, (sent) => sent.identify({ name: "other" }));
    });
    let identity: string | undefined;
    const watch = plugin("watch", ({ hooks }) =>
      hooks.rcpt.tap("watch", (_recipient, _transaction, session) => void (identity = session.identity?.name)),
    );
    const { say, hear } = await open({ plugins: [sink(), first, words(), watch] });
    say("EHLO client.test", `AUTH XWORD ${base64("jane open")}`, "MAIL FROM:<>", "RCPT TO:<joe@example.com>");
    expect((await hear(11)).at(-1)).toBe("250 2.1.5 Recipient ok");
    expect(seen).toEqual(["jane"]);
    expect(identity).toBe("jane");
  });
});

test("a client that had not read everything before the new layer is heard all the same", async () => {
  const { wire, engine, say, hear } = await open({ plugins: [sink(), upgrading()] });
  await hear(1);
  wire.reads = false;
  say("XUPGRADE");
  await turn();
  wire.reads = true; // nobody says drained: the layer that would is gone
  say("HELO client.test");
  expect((await hear(2)).at(-1)).toBe("250 mx.example.com");
  engine.gone("done");
});

test("a new layer below forgets who the client was, but not how often it guessed", () =>
  transcript(
    () => ({ plugins: [sink(), words(), upgrading()] }),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH XWORD ${base64("jane shut")}
    S: 535 *
    C: AUTH XWORD ${base64("jane shut")}
    S: 535 *
    C: XUPGRADE
    S: 220 Go
    C: MAIL FROM:<>
    S: 503 5.5.1 Say EHLO or HELO first
    C: EHLO client.test
    S: 250-mx.example.com *
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-ENHANCEDSTATUSCODES
    S: 250 AUTH XWORD XTWICE XSECRET
    C: AUTH XCLEAR
    S: 504 5.5.4 Mechanism not recognized
    C: AUTH XWORD ${base64("jane shut")}
    S: 421 4.7.0 Too many failed authentications
    S: <close>
  `,
  ));
