import { ConfigurationError, definePlugin, mailhost } from "@mailhost/core";
import { starttls } from "@mailhost/plugin-starttls";
import { sink, transcript } from "@mailhost/testkit";
import { expect, test } from "vitest";
import authLogin from "../src/index.ts";
import { askPassword, askUsername, base64, inClear, password, quietLog, verifier } from "./kit.ts";

const greeted = `
  S: 220 *
  C: HELO client.test
  S: 250 *
`;

const ehlo = (...more: readonly string[]): string => {
  const keywords = ["PIPELINING", "SIZE *", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", ...more];
  const lines = ["mx.example.com greets *", ...keywords];
  return [
    "C: EHLO client.test",
    ...lines.map((line, at) => `S: 250${at === lines.length - 1 ? " " : "-"}${line}`),
  ].join("\n");
};

test("name and password, one after the other (Outlook, swaks, nodemailer)", () =>
  transcript(
    inClear(),
    `
    S: 220 *
    ${ehlo("AUTH PLAIN LOGIN")}
    C: AUTH LOGIN
    ${askUsername}
    C: ${base64("jane")}
    ${askPassword}
    C: ${base64(password)}
    S: 235 2.7.0 *
    C: MAIL FROM:<jane@example.com> AUTH=<>
    S: 250 2.1.0 *
  `,
  ));

test("the name as initial response (python, cameras), verb and mechanism in any case", () =>
  transcript(
    inClear(),
    `${greeted}
    C: auth login ${base64("jürgen")}
    ${askPassword}
    C: ${base64("pässwörd ☃")}
    S: 235 2.7.0 *
  `,
  ));

test("an empty initial response is no name", () =>
  transcript(
    inClear(),
    `${greeted}
    C: AUTH LOGIN =
    ${askUsername}
    C: ${base64("jane")}
    ${askPassword}
    C: ${base64(password)}
    S: 235 2.7.0 *
  `,
  ));

test("a wrong password, an unknown user and no user at all get the same reply; the third is the last", () =>
  transcript(
    inClear(),
    `${greeted}
    C: AUTH LOGIN ${base64("jane")}
    ${askPassword}
    C: ${base64("wrong")}
    S: 535 5.7.8 Authentication credentials invalid
    C: AUTH LOGIN ${base64("__proto__")}
    ${askPassword}
    C: ${base64(password)}
    S: 535 5.7.8 Authentication credentials invalid
    C: AUTH LOGIN
    ${askUsername}
    C: 
    ${askPassword}
    C: ${base64(password)}
    S: 421 4.7.0 *
    S: <close>
  `,
  ));

test("what nobody can be called is asked of nobody", async () => {
  const asked: string[] = [];
  await transcript(
    { limits: { authFailures: 9 }, plugins: [verifier(asked), authLogin({ allowInsecure: true }), sink()] },
    `${greeted}
    C: AUTH LOGIN ${base64("jane\r\n")}
    ${askPassword}
    C: ${base64(password)}
    S: 535 5.7.8 *
    C: AUTH LOGIN ${base64("jane")}
    ${askPassword}
    C: 
    S: 535 5.7.8 *
    C: AUTH LOGIN ${base64("jane")}
    ${askPassword}
    C: ${base64(`${password}\0`)}
    S: 535 5.7.8 *
  `,
  );
  expect(asked).toEqual([]);
});

test("what cannot be read is 501, and * cancels at either question", () =>
  transcript(
    { ...inClear(), limits: { errors: 99 } },
    `${greeted}
    C: AUTH LOGIN not*base64
    S: 501 5.5.2 *
    C: AUTH LOGIN
    ${askUsername}
    C: jane@example.com
    S: 501 5.5.2 *
    C: AUTH LOGIN
    ${askUsername}
    C: *
    S: 501 5.7.0 *
    C: AUTH LOGIN ${base64("jane")}
    ${askPassword}
    C: *
    S: 501 5.7.0 *
    C: AUTH LOGIN ${base64("jane")}
    ${askPassword}
    C: ${password}!
    S: 501 5.5.2 *
    # Latin-1 is not guessed at
    C: AUTH LOGIN avxyZ2Vu
    ${askPassword}
    C: ${base64("pässwörd ☃")}
    S: 501 5.5.2 Malformed user name or password
    C: AUTH LOGIN ${base64("jane")} ${base64(password)}
    S: 501 5.5.2 *
    C: AUTH LOGIN ${base64("jane")}
    ${askPassword}
    C: ${base64(password)}
    S: 235 2.7.0 *
  `,
  ));

test("offered under TLS only, unless told otherwise", () =>
  transcript(
    { log: quietLog, plugins: [starttls({ selfSigned: true }), verifier(), authLogin(), sink()] },
    `
    S: 220 *
    ${ehlo("STARTTLS", "AUTH PLAIN")}
    C: AUTH LOGIN
    S: 538 5.7.11 *
    C: AUTH LOGIN ${base64("jane")}
    S: 538 5.7.11 *
    C: STARTTLS
    S: 220 2.0.0 *
    ${ehlo("AUTH PLAIN LOGIN")}
    C: AUTH LOGIN
    ${askUsername}
    C: ${base64("jane")}
    ${askPassword}
    C: ${base64(password)}
    S: 235 2.7.0 *
    ${ehlo()}
  `,
  ));

test("the old keyword stands where LOGIN is offered, and nowhere else", () =>
  transcript(
    { log: quietLog, plugins: [starttls({ selfSigned: true }), verifier(), authLogin({ oldKeyword: true }), sink()] },
    `
    S: 220 *
    ${ehlo("STARTTLS", "AUTH PLAIN")}
    C: STARTTLS
    S: 220 2.0.0 *
    ${ehlo("AUTH=LOGIN", "AUTH PLAIN LOGIN")}
    C: AUTH LOGIN ${base64("jane")}
    ${askPassword}
    C: ${base64(password)}
    S: 235 2.7.0 *
    ${ehlo()}
  `,
  ));

test("the answers of a client that does not wait are never taken for commands", () =>
  transcript(
    inClear(),
    `${greeted}
    R: AUTH LOGIN\\r\\n\\r\\n${base64("noop\r\n")}\\r\\nNOOP\\r\\n
    ${askUsername}
    ${askPassword}
    S: 535 5.7.8 *
    S: 250 2.0.0 *
  `,
  ));

test("without anybody who checks passwords the server does not start", async () => {
  const alone = mailhost({ name: "mx.example.com", plugins: [authLogin(), sink()] }).prepare();
  await expect(alone).rejects.toThrow(ConfigurationError);
  await expect(alone).rejects.toThrow("AUTH LOGIN takes credentials that no plugin checks");
});

test("any plugin may check", () => {
  const door = definePlugin({
    name: "door",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (host) =>
      host.hooks.auth.tap("door", (credentials) => {
        if (credentials.kind === "password" && credentials.password === "open sesame")
          credentials.identify({ name: credentials.username });
      }),
  });
  return transcript(
    { plugins: [authLogin({ allowInsecure: true }), door(), sink()] },
    `${greeted}
    C: AUTH LOGIN ${base64("ali")}
    ${askPassword}
    C: ${base64("open sesame")}
    S: 235 2.7.0 *
  `,
  );
});

test("an option it does not have is an error at start", async () => {
  // As a configuration file may say it
  const wrong = authLogin({ users: "users" } as never);
  const server = mailhost({ name: "mx.example.com", plugins: [verifier(), wrong, sink()] });
  await expect(server.prepare()).rejects.toThrow("users");
});
