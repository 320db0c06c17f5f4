import { rm } from "node:fs/promises";
import { definePlugin } from "@mailhost/core";
import { sink, transcript } from "@mailhost/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { authPlain } from "../src/index.ts";
import { fakeTls, makeFolder, makeUsers, plain } from "./kit.ts";

let folder: string;
let users: string;
beforeAll(async () => {
  folder = await makeFolder();
  users = await makeUsers(folder, { jane: "secret", "jürgen@example.com": "pässwörd ☃", zero: "0" });
});
afterAll(() => rm(folder, { recursive: true }));

// curl, smtplib and s-nail wait for the blank
const emptyChallenge = "334 ";

const inClear = () => ({ plugins: [authPlain({ users, allowInsecure: true, failureDelay: 0 }), sink()] });

test("AUTH PLAIN in two steps works", () =>
  transcript(
    inClear(),
    `
    S: 220 *
    C: EHLO client.test
    S: 250-mx.example.com *
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-ENHANCEDSTATUSCODES
    S: 250 AUTH PLAIN
    C: AUTH PLAIN
    S: ${emptyChallenge}
    C: ${plain("\0jane\0secret")}
    S: 235 2.7.0 *
    C: MAIL FROM:<jane@example.com> AUTH=<>
    S: 250 2.1.0 *
  `,
  ));

test("AUTH PLAIN with an initial response works, verb and mechanism in any case", () =>
  transcript(
    inClear(),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: auth plain ${plain("\0jane\0secret")}
    S: 235 2.7.0 *
  `,
  ));

test("AUTH in clear is refused unless allowed", async () => {
  const refused = `
    S: 220 *
    C: EHLO client.test
    S: 250-mx.example.com *
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250 ENHANCEDSTATUSCODES
    C: AUTH PLAIN ${plain("\0jane\0secret")}
    S: 538 5.7.11 *
    C: AUTH PLAIN
    S: 538 5.7.11 *
  `;
  await transcript({ plugins: [authPlain({ users }), sink()] }, refused);
  await transcript(
    { plugins: [fakeTls({ implicit: true }), authPlain({ users }), sink()] },
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH PLAIN ${plain("\0jane\0secret")}
    S: 235 2.7.0 *
  `,
  );
});

test("identity does not survive STARTTLS", () =>
  transcript(
    {
      listeners: [{ port: 0, mode: "submission" }],
      plugins: [fakeTls({ implicit: false }), authPlain({ users, allowInsecure: true, failureDelay: 0 }), sink()],
    },
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH PLAIN ${plain("\0jane\0secret")}
    S: 235 2.7.0 *
    C: STARTTLS
    S: 220 2.0.0 *
    C: HELO client.test
    S: 250 *
    C: MAIL FROM:<jane@example.com>
    S: 530 5.7.0 Authentication required
    C: AUTH PLAIN ${plain("\0jane\0secret")}
    S: 235 2.7.0 *
    C: MAIL FROM:<jane@example.com>
    S: 250 2.1.0 *
  `,
  ));

test("a second AUTH is 503", () =>
  transcript(
    inClear(),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH PLAIN ${plain("\0jane\0secret")}
    S: 235 2.7.0 *
    C: AUTH PLAIN ${plain("\0zero\u00000")}
    S: 503 5.5.1 *
    C: RSET
    S: 250 2.0.0 *
    C: HELO client.test
    S: 250 *
    C: AUTH PLAIN
    S: 503 5.5.1 *
  `,
  ));

test("other mechanisms are 504", () =>
  transcript(
    inClear(),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH CRAM-MD5
    S: 504 5.5.4 *
    C: AUTH LOGIN
    S: 504 5.5.4 *
    C: AUTH __proto__
    S: 504 5.5.4 *
    C: AUTH PLAINER
    S: 504 5.5.4 *
  `,
  ));

test("* cancels, and the next try counts anew", () =>
  transcript(
    inClear(),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH PLAIN
    S: ${emptyChallenge}
    C: *
    S: 501 5.7.0 *
    C: AUTH PLAIN
    S: ${emptyChallenge}
    C: ${plain("\0jane\0secret")}
    S: 235 2.7.0 *
  `,
  ));

test("the authorization identity is absent or the login itself", () =>
  transcript(
    () => ({ ...inClear(), limits: { authFailures: 9 } }),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH PLAIN ${plain("root\0jane\0secret")}
    S: 535 5.7.8 Authentication credentials invalid
    C: AUTH PLAIN ${plain("Jane\0jane\0secret")}
    S: 535 5.7.8 Authentication credentials invalid
    C: AUTH PLAIN ${plain("jane\0jane\0secret")}
    S: 235 2.7.0 *
  `,
  ));

test("unknown users and wrong passwords get the same reply, and the third is the last", () =>
  transcript(
    inClear(),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH PLAIN ${plain("\0jane\0wrong")}
    S: 535 5.7.8 Authentication credentials invalid
    C: AUTH PLAIN ${plain("\0nobody\0secret")}
    S: 535 5.7.8 Authentication credentials invalid
    C: AUTH PLAIN ${plain("\0__proto__\0secret")}
    S: 421 4.7.0 *
    S: <close>
  `,
  ));

test("names compare exactly, passwords too", () =>
  transcript(
    () => ({ ...inClear(), limits: { authFailures: 9 } }),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH PLAIN ${plain("\0JANE\0secret")}
    S: 535 5.7.8 *
    C: AUTH PLAIN ${plain("\0jane\0Secret")}
    S: 535 5.7.8 *
    C: AUTH PLAIN ${plain("\0jane\0secret ")}
    S: 535 5.7.8 *
    C: AUTH PLAIN ${plain("\0jane\0\uFEFFsecret")}
    S: 535 5.7.8 *
    C: AUTH PLAIN ${plain("\0jürgen@example.com\0pässwörd ☃")}
    S: 235 2.7.0 *
  `,
  ));

test("what is no PLAIN message is 501, what nobody can be is 535", () =>
  transcript(
    () => ({ ...inClear(), limits: { errors: 99, authFailures: 99 } }),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH PLAIN =
    S: 501 5.5.2 *
    C: AUTH PLAIN ${plain("jane")}
    S: 501 5.5.2 *
    C: AUTH PLAIN ${plain("jane\0secret")}
    S: 501 5.5.2 *
    C: AUTH PLAIN ${plain("\0jane\0secret\0")}
    S: 501 5.5.2 *
    C: AUTH PLAIN ${plain("\0\0secret")}
    S: 501 5.5.2 *
    C: AUTH PLAIN AGphbmUA/w==
    S: 501 5.5.2 *
    C: AUTH PLAIN not*base64
    S: 501 5.5.2 *
    C: AUTH PLAIN ${plain("\0jane\0")}
    S: 535 5.7.8 *
    C: AUTH PLAIN ${plain("\0jane\r\n\0secret")}
    S: 535 5.7.8 *
    C: AUTH PLAIN ${plain("\0jane\u0085\0secret")}
    S: 535 5.7.8 *
    C: AUTH PLAIN
    S: ${emptyChallenge}
    C: 
    S: 501 5.5.2 *
    C: AUTH PLAIN ${plain("\0jane\0secret")}
    S: 235 2.7.0 *
  `,
  ));

const mailAnswered = (reply: string): string => `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: NOOP
    S: 250 *
    C: MAIL FROM:<jane@example.com>
    S: ${reply} *
  `;

const held = (mode: "transfer" | "submission", required: boolean | undefined, reply: string): Promise<void> =>
  transcript(
    { listeners: [{ port: 0, mode }], plugins: [authPlain({ users, allowInsecure: true, required }), sink()] },
    mailAnswered(reply),
  );

test("submission wants AUTH before MAIL, transfer does not, and either can be told otherwise", async () => {
  await held("submission", undefined, "530 5.7.0");
  await held("submission", false, "250 2.1.0");
  await held("transfer", undefined, "250 2.1.0");
  await held("transfer", true, "530 5.7.0");
});

test("verify decides, and is told who asks from where", async () => {
  const asked: string[] = [];
  const verify = (username: string, password: string, remoteAddress: string): boolean => {
    asked.push(`${username} ${password} ${remoteAddress}`);
    return password === "right";
  };
  await transcript(
    { plugins: [authPlain({ verify, allowInsecure: true, failureDelay: 0 }), sink()] },
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH PLAIN ${plain("\0a:b c\0wrong")}
    S: 535 5.7.8 *
    C: AUTH PLAIN ${plain("\0a:b c\0right")}
    S: 235 2.7.0 *
  `,
  );
  expect(asked).toEqual(Array.from({ length: 3 }, () => ["a:b c wrong 192.0.2.1", "a:b c right 192.0.2.1"]).flat());
});

test("a verify that fails or gives no boolean is 451, and nobody is let in", async () => {
  const answers: (() => unknown)[] = [
    () => {
      throw new Error("no database");
    },
    () => Promise.reject(new Error("no database")),
    () => ({ id: 7 }),
    () => undefined,
    () => "yes",
  ];
  for (const answer of answers)
    await transcript(
      {
        // As JavaScript may say it
        plugins: [authPlain({ verify: answer as () => boolean, allowInsecure: true, required: true }), sink()],
        log: { debug() {}, info() {}, warn() {}, error() {} },
      },
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      C: AUTH PLAIN ${plain("\0jane\0secret")}
      S: 451 4.3.0 *
      C: MAIL FROM:<jane@example.com>
      S: 530 5.7.0 *
    `,
    );
});

test("passwords that another mechanism read are checked, what is proven is not ours", async () => {
  const other = definePlugin({
    name: "other",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (host) =>
      host.extend({
        mechanisms: [
          { name: "OTHER", start: () => ({ credentials: { kind: "password", username: "jane", password: "secret" } }) },
          { name: "EXTERNAL", start: () => ({ credentials: { kind: "proven", username: "jane" } }) },
        ],
      }),
  });
  await transcript(
    { plugins: [other(), authPlain({ users }), sink()] },
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH EXTERNAL
    S: 535 5.7.8 *
    C: AUTH OTHER
    S: 235 2.7.0 *
  `,
  );
});
