import { defaultLimits } from "@mailhost/core";
import { sink, transcript } from "@mailhost/testkit";
import { describe, test } from "vitest";
import { words } from "../support/auth.ts";

const noop = (octets: number): string => `NOOP ${"x".repeat(octets - 7)}`;
/** AUTH whose whole line has so many octets, none of them base64: a line that was read is answered 501. */
const auth = (octets: number): string => `AUTH XWORD ${"!".repeat(octets - 13)}`;

describe("the length of a command line", () => {
  test.each([defaultLimits.lineOctets, 2000])("is at most %i octets with its CRLF", (lineOctets) =>
    transcript(
      () => ({ plugins: [sink()], limits: { lineOctets } }),
      `
      S: 220 *
      C: ${noop(lineOctets)}
      S: 250 2.0.0 Ok
      C: ${noop(lineOctets + 1)}
      S: 500 5.5.2 Line too long
      C: NOOP
      S: 250 2.0.0 Ok
    `,
    ),
  );

  test("is never less than every server must take (RFC 5321 §4.5.3.1.4)", () =>
    transcript(
      () => ({ plugins: [sink()], limits: { lineOctets: 10 } }),
      `
      S: 220 *
      C: ${noop(512)}
      S: 250 2.0.0 Ok
      C: ${noop(513)}
      S: 500 5.5.2 Line too long
    `,
    ));
});

describe("the length of a line of AUTH", () => {
  test.each([defaultLimits.authLineOctets, 1000, 20_000])("is at most %i octets with its CRLF", (authLineOctets) =>
    transcript(
      () => ({ plugins: [sink(), words()], limits: { authLineOctets } }),
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      C: ${auth(authLineOctets)}
      S: 501 5.5.2 Not base64
      C: ${auth(authLineOctets + 1)}
      S: 500 *
      C: AUTH XWORD
      S: 334 *
      C: ${"!".repeat(authLineOctets - 2)}
      S: 501 5.5.2 Not base64
      C: AUTH XWORD
      S: 334 *
      C: ${"!".repeat(authLineOctets - 1)}
      S: 500 5.5.6 *
    `,
    ),
  );
});
