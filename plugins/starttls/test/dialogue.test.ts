import { definePlugin, encodeBase64 } from "@mailhost/core";
import { sink, transcript } from "@mailhost/testkit";
import { beforeAll, test } from "vitest";
import { type CertificateFiles, starttls } from "../src/index.ts";
import { makeFiles, makeFolder } from "./certificates.ts";

let files: CertificateFiles;
beforeAll(async () => {
  files = await makeFiles(await makeFolder(), "mx.example.com");
});

test("STARTTLS is offered in clear and not inside TLS, and everything is forgotten in between", () =>
  transcript(
    { plugins: [starttls(files), sink()] },
    `
    S: 220 mx.example.com ESMTP
    C: EHLO client.test
    S: 250-mx.example.com greets 192.0.2.1
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-ENHANCEDSTATUSCODES
    S: 250 STARTTLS
    C: STARTTLS
    S: 220 2.0.0 Ready to start TLS
    C: MAIL FROM:<jane@example.com>
    S: 503 5.5.1 Say EHLO or HELO first
    C: EHLO client.test
    S: 250-mx.example.com greets 192.0.2.1
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250 ENHANCEDSTATUSCODES
    C: STARTTLS
    S: 503 5.5.1 TLS is already there
    C: MAIL FROM:<jane@example.com>
    S: 250 2.1.0 *
  `,
  ));

test("STARTTLS takes no parameter and wants a greeting first", () =>
  transcript(
    { plugins: [starttls(files), sink()] },
    `
    S: 220 *
    C: STARTTLS
    S: 503 5.5.1 Say EHLO or HELO first
    C: EHLO client.test
    S: 250-mx.example.com *
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-ENHANCEDSTATUSCODES
    S: 250 STARTTLS
    C: STARTTLS now
    S: 501 5.5.4 No argument is allowed
    C: starttls
    S: 220 2.0.0 Ready to start TLS
  `,
  ));

test("STARTTLS is refused within a transaction", () =>
  transcript(
    { plugins: [starttls(files), sink()] },
    `
    S: 220 *
    C: HELO client.test
    S: 250 mx.example.com
    C: MAIL FROM:<jane@example.com>
    S: 250 2.1.0 *
    C: STARTTLS
    S: 503 5.5.1 Bad sequence of commands
    C: RCPT TO:<joe@example.com>
    S: 250 2.1.5 *
    C: STARTTLS
    S: 503 5.5.1 Bad sequence of commands
    C: RSET
    S: 250 2.0.0 Ok
    C: STARTTLS
    S: 220 2.0.0 Ready to start TLS
  `,
  ));

test("requireTls answers 530 to all but EHLO, HELO, NOOP, STARTTLS and QUIT", () =>
  transcript(
    { plugins: [starttls({ ...files, requireTls: true }), sink()] },
    `
    S: 220 *
    C: MAIL FROM:<jane@example.com>
    S: 530 5.7.0 Must issue a STARTTLS command first
    C: HELO client.test
    S: 250 *
    C: MAIL FROM:<jane@example.com>
    S: 530 5.7.0 Must issue a STARTTLS command first
    C: RSET
    S: 530 5.7.0 *
    C: VRFY jane
    S: 530 5.7.0 *
    C: AUTH PLAIN
    S: 530 5.7.0 *
    C: NOOP
    S: 250 2.0.0 Ok
    C: STARTTLS
    S: 220 2.0.0 *
    C: HELO client.test
    S: 250 *
    C: MAIL FROM:<jane@example.com>
    S: 250 2.1.0 *
    C: QUIT
    S: 221 2.0.0 *
    S: <close>
  `,
  ));

test("identity is forgotten with the rest", async () => {
  const proven = definePlugin({
    name: "proven",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      host.extend({
        mechanisms: [{ name: "EXTERNAL", start: () => ({ credentials: { kind: "proven", username: "jane" } }) }],
      });
      host.hooks.auth.tap("proven", (credentials) => credentials.identify({ name: credentials.username }));
    },
  });
  await transcript(
    { plugins: [starttls(files), proven(), sink()] },
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH EXTERNAL ${encodeBase64(new TextEncoder().encode("jane"))}
    S: 235 2.7.0 *
    C: AUTH EXTERNAL =
    S: 503 5.5.1 Already authenticated
    C: STARTTLS
    S: 220 2.0.0 *
    C: HELO client.test
    S: 250 *
    C: AUTH EXTERNAL =
    S: 235 2.7.0 *
  `,
  );
});
