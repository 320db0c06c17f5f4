import { addressable } from "@mailhost/plugin-addressable";
import { debugLog } from "@mailhost/plugin-debug-log";
import { sink, transcript } from "@mailhost/testkit";
import { expect, test } from "vitest";
import {
  Memory,
  anyTls,
  ehlo,
  emptyChallenge,
  janesLogin,
  janesPassword,
  plain,
  password,
  quietLog,
} from "../support/dialogue.ts";
import { outbox } from "../support/outbox.ts";

const inClear = () => ({ plugins: [janesPassword({ allowInsecure: true }), sink()], log: quietLog });

test("AUTH PLAIN in two steps works", () =>
  transcript(
    inClear,
    `
    S: 220 *
    ${ehlo("AUTH PLAIN")}
    C: AUTH PLAIN
    S: ${emptyChallenge}
    C: ${janesLogin}
    S: 235 2.7.0 *
  `,
  ));

test("AUTH in clear is refused unless allowed", async () => {
  await transcript(
    () => ({ plugins: [anyTls(), janesPassword(), sink()], log: quietLog }),
    `
    S: 220 *
    ${ehlo("STARTTLS")}
    C: AUTH PLAIN ${janesLogin}
    S: 538 5.7.11 *
    C: AUTH PLAIN
    S: 538 5.7.11 *
    C: STARTTLS
    S: 220 2.0.0 *
    ${ehlo("AUTH PLAIN")}
    C: AUTH PLAIN ${janesLogin}
    S: 235 2.7.0 *
  `,
  );
  await transcript(
    inClear,
    `
    S: 220 *
    ${ehlo("AUTH PLAIN")}
    C: AUTH PLAIN ${janesLogin}
    S: 235 2.7.0 *
  `,
  );
});

test("identity does not survive STARTTLS", () =>
  transcript(
    () => ({
      plugins: [
        anyTls(),
        janesPassword({ allowInsecure: true }),
        addressable({ relay: { identities: true } }),
        outbox(),
      ],
      default: { relay: "outbox" },
      log: quietLog,
    }),
    `
    S: 220 *
    ${ehlo("STARTTLS", "AUTH PLAIN")}
    C: AUTH PLAIN ${janesLogin}
    S: 235 2.7.0 *
    C: MAIL FROM:<jane@example.com>
    S: 250 2.1.0 *
    C: RCPT TO:<joe@elsewhere.test>
    S: 250 2.1.5 *
    C: RSET
    S: 250 *
    C: STARTTLS
    S: 220 2.0.0 *
    # The greeting is forgotten too (RFC 3207 section 4.2)
    C: MAIL FROM:<jane@example.com>
    S: 503 5.5.1 *
    ${ehlo("AUTH PLAIN")}
    C: MAIL FROM:<jane@example.com>
    S: 250 2.1.0 *
    C: RCPT TO:<joe@elsewhere.test>
    S: 550 5.7.1 *
    C: RSET
    S: 250 *
    C: AUTH PLAIN ${janesLogin}
    S: 235 2.7.0 *
    C: MAIL FROM:<jane@example.com>
    S: 250 2.1.0 *
    C: RCPT TO:<joe@elsewhere.test>
    S: 250 2.1.5 *
  `,
  ));

test("a second AUTH is 503", () =>
  transcript(
    inClear,
    `
    S: 220 *
    ${ehlo("AUTH PLAIN")}
    C: AUTH PLAIN ${janesLogin}
    S: 235 2.7.0 *
    C: AUTH PLAIN ${janesLogin}
    S: 503 5.5.1 *
    C: AUTH PLAIN ${plain("", "joe", "guess")}
    S: 503 5.5.1 *
    # RFC 4954 section 4: not offered any more either
    ${ehlo()}
    C: AUTH PLAIN ${janesLogin}
    S: 503 5.5.1 *
  `,
  ));

test("other mechanisms are 504", () =>
  transcript(
    inClear,
    `
    S: 220 *
    ${ehlo("AUTH PLAIN")}
    C: AUTH LOGIN
    S: 504 5.5.4 *
    C: AUTH CRAM-MD5
    S: 504 5.5.4 *
    C: AUTH XOAUTH2 ${janesLogin}
    S: 504 5.5.4 *
    C: AUTH PLAIN ${janesLogin}
    S: 235 2.7.0 *
  `,
  ));

test("no secret in the dump", async () => {
  const text = new Memory();
  const ndjson = new Memory();
  await transcript(
    () => ({
      plugins: [anyTls(), janesPassword({ allowInsecure: true }), sink(), debugLog({ text, ndjson, body: "all" })],
      log: quietLog,
    }),
    `
    S: 220 *
    ${ehlo("STARTTLS", "AUTH PLAIN")}
    C: AUTH PLAIN ${plain("", "jane", "sesame-open")}
    S: 535 5.7.8 *
    C: AUTH PLAIN
    S: ${emptyChallenge}
    C: ${janesLogin}
    S: 235 2.7.0 *
    C: STARTTLS
    S: 220 2.0.0 *
    ${ehlo("AUTH PLAIN")}
    C: AUTH LOGIN ${janesLogin}
    S: 504 5.5.4 *
    C: AUTH PLAIN ${janesLogin}
    S: 235 2.7.0 *
  `,
  );
  const dump = text.text + ndjson.text;
  // What was said is there, what was secret is not
  expect(dump).toContain("AUTH PLAIN ***");
  expect(dump).toContain("535 5.7.8");
  for (const secret of ["sesame", password, janesLogin, plain("", "jane", "sesame-open")])
    expect(dump).not.toContain(secret);
});
