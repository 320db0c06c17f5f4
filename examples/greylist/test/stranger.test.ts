import { sink, transcript } from "@mailhost/testkit";
import { test } from "vitest";
import greylist from "../src/index.ts";

test("a stranger is told to come again", () =>
  transcript(
    { plugins: [sink(), greylist()] },
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: MAIL FROM:<joe@example.net>
    S: 250 *
    C: RCPT TO:<jane@example.com>
    S: 451 4.7.1 Greylisted, come again in 5 min
    C: QUIT
    S: 221 *
    S: <close>
  `,
  ));
