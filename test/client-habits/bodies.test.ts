import { addressable } from "@mailhost/plugin-addressable";
import { maildir } from "@mailhost/plugin-maildir";
import { type Way, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { emptyFolder, quietLog, stored } from "../support/dialogue.ts";
import { belowTrace } from "../support/server.ts";

// What clients put into bodies. Octets are written with \r \n \xHH.

interface Habit {
  /** As the client sends it, dots stuffed or not, without the end. */
  readonly sent: string;
  readonly reply?: string;
  readonly bareLineEnds?: "refuse" | "normalize";
}

/** What is stored of it below the trace fields, with CRLF ends; one for each way of cutting. */
async function keep({ sent, reply = "250 2.0.0 *", bareLineEnds = "refuse" }: Habit): Promise<string[]> {
  const root = emptyFolder();
  const done: Way[] = [];
  await transcript(
    () => ({
      plugins: [addressable({ domains: ["example.com"] }), maildir({ root, crlf: true, fsync: false })],
      default: { local: "maildir" },
      bareLineEnds,
      log: quietLog,
      afterwards: (way) => void done.push(way),
    }),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: MAIL FROM:<>
    S: 250 2.1.0 *
    C: RCPT TO:<jane@example.com>
    S: 250 2.1.5 *
    C: DATA
    S: 354 *
    R: ${sent}\\r\\n.\\r\\n
    S: ${reply}
    C: NOOP
    S: 250 *
  `,
  );
  expect(done).toEqual(["lines", "groups", "octets"]);
  if (!reply.startsWith("250")) return [];
  const contents = stored(root, "example.com", "jane").map((mail) =>
    belowTrace(Buffer.from(mail, "latin1")).toString("latin1"),
  );
  expect(contents).toHaveLength(3);
  return [...new Set(contents)];
}

describe("bare LF inside DATA (emailjs, sendmail-like scripts, Vert.x, POCO, a Swift library, gen_smtp)", () => {
  const sent = String.raw`Subject: x\n\none\ntwo\r\n.\nthree\n.\r\nfour`;

  test("normalised on submission: a line is a line, and LF dot is no end", async () => {
    expect(await keep({ sent, bareLineEnds: "normalize" })).toEqual([
      // The dot behind CRLF was stuffed by somebody, those behind LF were not
      "Subject: x\r\n\r\none\r\ntwo\r\n\r\nthree\r\n.\r\nfour\r\n",
    ]);
  });

  test("refused on transfer, for good: never a 4yz", () => keep({ sent, reply: "550 5.6.11 *" }));
});

test("wrong dot-stuffing (emailjs: none; sendEmail: lone dots only): unstuffed strictly after CRLF", async () => {
  expect(await keep({ sent: String.raw`Subject: x\r\n\r\n.profile\r\n..\r\n...\r\na .b .\r\n .` })).toEqual([
    "Subject: x\r\n\r\nprofile\r\n.\r\n..\r\na .b .\r\n .\r\n",
  ]);
});

describe("lines over 998, raw UTF-8 headers, 8 bit without BODY= (bulk senders, HTML mail; every old client)", () => {
  test.each([
    ["a legal line of 998 octets", "x".repeat(998)],
    ["a line of 100,000", "y".repeat(100_000)],
    ["a field of 5,000", `X-Long: ${"z".repeat(5000)}`],
  ])("%s stays whole", async (_what, line) => {
    const sent = `Subject: x\\r\\n${line.startsWith("X-") ? line : `\\r\\n${line}`}\\r\\nend`;
    const [content] = await keep({ sent });
    expect(content).toContain(`\r\n${line}\r\n`);
  });

  test("raw UTF-8 headers and every octet but CR and LF", async () => {
    const octets = Array.from({ length: 256 }, (_, octet) => octet).filter((octet) => octet !== 13 && octet !== 10);
    const escaped = octets.map((octet) => `\\x${octet.toString(16).padStart(2, "0")}`).join("");
    expect(await keep({ sent: `Subject: Gr\\xc3\\xbc\\xc3\\x9fe \\xff\\r\\n\\r\\n${escaped}` })).toEqual([
      `Subject: Gr\xc3\xbc\xc3\x9fe \xff\r\n\r\n${String.fromCharCode(...octets)}\r\n`,
    ]);
  });
});
