import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { authPlain, hashPassword } from "@mailhost/plugin-auth-plain";
import { limits } from "@mailhost/plugin-limits";
import { TestClock, client, host, sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import {
  anyTls,
  ehlo,
  emptyChallenge,
  emptyFolder,
  janesLogin,
  janesPassword,
  password,
  plain,
  quietLog,
} from "../support/dialogue.ts";

const inClear = () => ({ plugins: [janesPassword({ allowInsecure: true }), sink()], log: quietLog });

const login = (message: string, reply: string): string => `C: AUTH PLAIN ${message}\nS: ${reply} *\n`;

test("injection by the user name (CVE-2026-40193): names are data, as they were sent", async () => {
  const asked: string[] = [];
  const names = [
    "*)(uid=*))(|(uid=*",
    "jane' OR '1'='1",
    "jane\\",
    "${jndi:ldap://a.test}",
    "$(id)",
    "%s%n",
    "../users",
    "jane;",
    "jane:x",
  ];
  const verify = (name: string): boolean => {
    asked.push(name);
    return false;
  };
  await transcript(
    () => ({
      plugins: [authPlain({ verify, allowInsecure: true, failureDelay: 0 }), sink()],
      limits: { authFailures: 100 },
      log: quietLog,
    }),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    ${names.map((name) => login(plain("", name, "x"), "535 5.7.8")).join("")}
  `,
  );
  expect(asked).toEqual([...names, ...names, ...names]);
});

/** A password file with jane in it. */
async function janesFile(): Promise<string> {
  const users = join(emptyFolder(), "users");
  writeFileSync(users, `jane:${await hashPassword(password, { ln: 4, r: 8, p: 1 })}\n`, { mode: 0o600 });
  return users;
}

test("names of a password file are looked up as data, `__proto__` and its kin among them", async () => {
  const users = await janesFile();
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "jane:", ":", "*", "jane\u0300"];
  await transcript(
    () => ({
      plugins: [authPlain({ users, allowInsecure: true, failureDelay: 0 }), sink()],
      limits: { authFailures: 100 },
      log: quietLog,
    }),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    ${names.map((name) => login(plain("", name, password), "535 5.7.8")).join("")}
    ${login(janesLogin, "235 2.7.0")}
  `,
  );
});

test("AUTH after a login crashed (Haraka 2039): AUTH only before MAIL, and once", () =>
  transcript(
    inClear,
    `
    S: 220 *
    C: AUTH PLAIN ${janesLogin}
    S: 503 5.5.1 *
    ${ehlo("AUTH PLAIN")}
    C: MAIL FROM:<jane@example.com>
    S: 250 2.1.0 *
    C: AUTH PLAIN ${janesLogin}
    S: 503 5.5.1 *
    C: RSET
    S: 250 *
    ${login(janesLogin, "235 2.7.0")}
    C: AUTH LOGIN
    S: 503 5.5.1 *
    C: AUTH PLAIN
    S: 503 5.5.1 *
    C: MAIL FROM:<jane@example.com>
    S: 250 2.1.0 *
  `,
  ));

test("authzid ignored, control octets in names (smtp-server 4107568)", async () => {
  const asked: string[] = [];
  await transcript(
    () => ({
      plugins: [authPlain({ verify: (name) => asked.push(name) > 0, allowInsecure: true, failureDelay: 0 }), sink()],
      limits: { authFailures: 100, errors: 100 },
      log: quietLog,
    }),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    ${login(plain("root", "jane", "x"), "535 5.7.8")}
    ${["ja\r\nne", "jane\n", "\x1b[2J", "jane\x7f", "jane\u0085"].map((name) => login(plain("", name, "x"), "535 5.7.8")).join("")}
    ${login(plain("", "", "x"), "501 5.5.2")}
    ${login(plain("", "jane"), "501 5.5.2")}
    ${login(plain("", "jane", "x", "y"), "501 5.5.2")}
    ${login("/w==", "501 5.5.2")}
    ${login("====", "501 5.5.2")}
    ${login("=", "501 5.5.2")}
  `,
  );
  expect(asked).toEqual([]);
});

describe("weak challenges and comparisons (smtp-server 4dbc916): PLAIN over TLS only, one answer to every wrong login", () => {
  test("nothing is offered in clear", () =>
    transcript(
      () => ({ plugins: [anyTls(), janesPassword(), sink()], log: quietLog }),
      `
      S: 220 *
      ${ehlo("STARTTLS")}
      C: AUTH CRAM-MD5
      S: 504 5.5.4 *
      C: AUTH PLAIN
      S: 538 5.7.11 *
    `,
    ));

  test("the same reply after the same delay for an unknown user and a wrong password", async () => {
    const users = await janesFile();
    const answers: (readonly [string, number])[] = [];
    for (const message of [plain("", "jane", "guess"), plain("", "nobody", "guess")]) {
      const clock = new TestClock();
      const start = clock.now();
      const speaker = await client({
        plugins: [authPlain({ users, allowInsecure: true }), sink()],
        clock,
        log: quietLog,
      });
      await speaker.line();
      await speaker.ask("HELO client.test");
      const waiting = clock.waiting;
      speaker.send(`AUTH PLAIN ${message}`);
      // The deadline of the tap, then the delay: time stands still until it is moved
      while (clock.waiting < waiting + 2) await new Promise((resolve) => setImmediate(resolve));
      clock.advance(999);
      expect(speaker.lines.at(-1)).toMatch(/^250/);
      clock.advance(1);
      answers.push([(await speaker.reply()).join(), clock.now() - start]);
      await speaker.close();
    }
    expect(answers[0]).toEqual(["535 5.7.8 Authentication credentials invalid", 1000]);
    expect(answers[1]).toEqual(answers[0]);
  });
});

describe("no bound on password guessing", () => {
  const guess = plain("", "jane", "guess");

  test("three wrong guesses end the session", () =>
    transcript(
      inClear,
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      ${login(guess, "535 5.7.8")}
      C: RSET
      S: 250 *
      C: AUTH PLAIN
      S: ${emptyChallenge}
      C: ${guess}
      S: 535 5.7.8 *
      ${login(guess, "421 4.7.0")}
      S: <close>
    `,
    ));

  test("EHLO and STARTTLS are no way to new ones", () =>
    transcript(
      () => ({ plugins: [anyTls(), janesPassword({ allowInsecure: true }), sink()], log: quietLog }),
      `
      S: 220 *
      ${ehlo("STARTTLS", "AUTH PLAIN")}
      ${login(guess, "535 5.7.8")}
      ${ehlo("STARTTLS", "AUTH PLAIN")}
      ${login(guess, "535 5.7.8")}
      C: STARTTLS
      S: 220 2.0.0 *
      ${ehlo("AUTH PLAIN")}
      ${login(guess, "421 4.7.0")}
      S: <close>
    `,
    ));

  test("nor is a new session, with limits as it comes: ten of an address, each slower, and then not even the right one", async () => {
    const server = await host({ plugins: [limits(), janesPassword({ allowInsecure: true }), sink()] });
    const said: string[] = [];
    const times: number[] = [];
    for (let count = 0; count < 11; count += 1) {
      const speaker = server.client();
      await speaker.reply();
      await waiting(server.clock, speaker.ask("EHLO client.test"));
      const began = server.clock.now();
      const message = count < 10 ? guess : janesLogin;
      const [reply = ""] = await waiting(server.clock, speaker.ask(`AUTH PLAIN ${message}`));
      said.push(reply.slice(0, 9));
      times.push((server.clock.now() - began) / 1000);
      speaker.hangUp();
    }
    expect(said).toEqual([...Array.from({ length: 10 }, () => "535 5.7.8"), "421 4.7.0"]);
    expect(times).toEqual([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 0]);
    await server.close();
  });

  /** The reply, time moving on second by second until it is there. */
  async function waiting<T>(clock: TestClock, reply: Promise<T>): Promise<T> {
    let there = false;
    const over = reply.finally(() => (there = true));
    for (;;) {
      for (let turns = 0; turns < 5 && !there; turns += 1) await new Promise((resolve) => setImmediate(resolve));
      if (there) return over;
      clock.advance(1000);
    }
  }

  test("the control: the third may be right", () =>
    transcript(
      inClear,
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      ${login(guess, "535 5.7.8")}
      ${login(guess, "535 5.7.8")}
      ${login(janesLogin, "235 2.7.0")}
    `,
    ));
});
