import { sink, transcript } from "@mailhost/testkit";
import { test } from "vitest";
import plugin from "../src/index.ts";

// Held line by line, in pipelined groups, and octet by octet
test("mail from a listed domain is refused, other mail is taken", () =>
  transcript(
    { plugins: [sink(), plugin({ domains: ["spam.example"] })] },
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: MAIL FROM:<joe@SPAM.example>
    S: 250 2.1.0 *
    C: RCPT TO:<jane@example.com>
    S: 550 5.7.1 Mail from there is not taken here
    C: RCPT TO:<postmaster@example.com>
    S: 250 2.1.5 *
    C: RSET
    S: 250 *
    C: MAIL FROM:<joe@example.net>
    S: 250 2.1.0 *
    C: RCPT TO:<jane@example.com>
    S: 250 2.1.5 *
    C: QUIT
    S: 221 *
    S: <close>
  `,
  ));
