import { makeReply, reject } from "@mailhost/core";
import { addressable } from "@mailhost/plugin-addressable";
import { maildir } from "@mailhost/plugin-maildir";
import { type Handler, mux } from "@mailhost/plugin-mux";
import { type Client, client, sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { ehlo, emptyFolder, quietLog, stored } from "../support/dialogue.ts";

// Ends of data that are none, and lines that are two. Beside every attack stands real mail that must pass.

const modes = ["refuse", "normalize"] as const;
const cuts = ["in one segment", "octet by octet"] as const;

/** Sends one body with its end, cut as told, and asks for an end of the dialogue; gives everything said after the 354. */
async function hand(body: string, mode: (typeof modes)[number], cut: (typeof cuts)[number]) {
  const box = sink();
  const speaker = await client({ plugins: [box], bareLineEnds: mode, log: quietLog });
  await speaker.line();
  for (const line of ["EHLO client.test", "MAIL FROM:<joe@example.net>", "RCPT TO:<jane@example.com>", "DATA"])
    await speaker.ask(line);
  const heard = speaker.lines.length;
  send(speaker, `${body}\r\n.\r\nQUIT\r\n`, cut);
  expect(await speaker.closed()).toBe(true);
  const replies = speaker.lines.slice(heard).map((line) => line.slice(0, 9).trim());
  await speaker.close();
  return { replies, texts: box.messages.map(({ text }) => text.slice(text.indexOf("Subject:"))), box };
}

function send(speaker: Client, text: string, cut: (typeof cuts)[number]): void {
  const octets = Buffer.from(text, "latin1");
  if (cut === "in one segment") speaker.send(octets);
  else for (const octet of octets) speaker.send(Uint8Array.of(octet));
}

/** What would be run if the body had ended there: a message from somebody else. */
const hidden =
  "MAIL FROM:<boss@example.com>\r\nRCPT TO:<jane@example.com>\r\nDATA\r\nSubject: smuggled\r\n\r\nPay him.";

const ends = { CRLF: "\r\n", LF: "\n", CR: "\r", CRCRLF: "\r\r\n", LFCR: "\n\r", CRLFCR: "\r\n\r" };
const variants = Object.entries(ends).flatMap(([before, one]) =>
  Object.entries(ends).map(([behind, other]) => ({ name: `${before} . ${behind}`, end: `${one}.${other}` })),
);

describe("LF.LF, LF.CRLF or CRLF.LF ends the data (CVE-2023-51764, -51765, -51766, CVE-2023-52354, CVE-2023-51747, CVE-2024-27305, VU#302671)", () => {
  test.each(["\n.\n", "\n.\r\n", "\r\n.\n"])("%j", async (end) => {
    for (const cut of cuts) {
      const refused = await hand(`Subject: real\r\n\r\ntext${end}${hidden}`, "refuse", cut);
      expect(refused).toMatchObject({ replies: ["550 5.6.1", "221 2.0.0"], texts: [] });
      const mended = await hand(`Subject: real\r\n\r\ntext${end}${hidden}`, "normalize", cut);
      expect(mended.replies).toEqual(["250 2.0.0", "221 2.0.0"]);
      expect(mended.texts).toEqual([expect.stringContaining("MAIL FROM:<boss@example.com>\r\n")]);
    }
  });
});

describe("half fixes keep one variant (go-smtp 243 and 246, Haraka 3268, qpsmtpd 317): all 36", () => {
  // Octets that hold CRLF . CRLF end the body by the book, whatever stands around them
  const endsIndeed = (end: string): boolean => end.includes("\r\n.\r\n");

  test("they are 36", () => expect(new Set(variants.map(({ end }) => end)).size).toBe(36));

  test.each(variants.filter(({ end }) => !endsIndeed(end)))("$name is no end", async ({ end }) => {
    for (const mode of modes)
      for (const cut of cuts) {
        const { replies, texts } = await hand(`Subject: real\r\n\r\ntext${end}${hidden}`, mode, cut);
        // One answer to one body, then the answer to QUIT: nothing between them was run
        expect(replies).toEqual([mode === "refuse" ? "550 5.6.1" : "250 2.0.0", "221 2.0.0"]);
        expect(texts).toHaveLength(mode === "refuse" ? 0 : 1);
      }
  });

  test.each(variants.filter(({ end }) => endsIndeed(end)))("$name holds the five octets", async ({ end }) => {
    const at = end.indexOf("\r\n.\r\n");
    for (const cut of cuts) {
      const { replies, texts } = await hand(`Subject: real\r\n\r\ntext${end}NOOP`, "refuse", cut);
      // What stands before the five octets is judged: a bare CR there refuses the message
      expect(replies[0]).toBe(at === 0 ? "250 2.0.0" : "550 5.6.1");
      expect(texts).toHaveLength(at === 0 ? 1 : 0);
    }
  });
});

test("CR CR LF squeezed to CRLF re-opens it (Postfix, January 2024): no squeezing, ever", async () => {
  for (const cut of cuts) {
    const body = `Subject: real\r\n\r\ntext\r\r\n.\r\r\n${hidden}`;
    expect(await hand(body, "refuse", cut)).toMatchObject({ replies: ["550 5.6.1", "221 2.0.0"], texts: [] });
    const { texts } = await hand(body, "normalize", cut);
    // Each CR is a line end of its own, so none disappears; the dot stood behind CRLF and was stuffed
    expect(texts).toEqual([expect.stringContaining("text\r\n\r\n\r\n\r\nMAIL FROM:<boss@example.com>")]);
  }
});

test("a CR LF that was cut between its octets, with a dot on either side, stays one", async () => {
  const { texts } = await hand("Subject: real\r\n\r\n..\r\n..x", "refuse", "octet by octet");
  expect(texts).toEqual(["Subject: real\r\n\r\n.\r\n.x\r\n"]);
});

describe("the first smuggling fix hung real mail (go-smtp 247): the control", () => {
  test.each([
    ["no line", "", ""],
    ["one line", "Subject: a", "Subject: a\r\n"],
    ["stuffed dots", "Subject: a\r\n\r\n..\r\n...\r\nb.", "Subject: a\r\n\r\n.\r\n..\r\nb.\r\n"],
    ["an empty last line", "Subject: a\r\n\r\nb\r\n", "Subject: a\r\n\r\nb\r\n\r\n"],
    ["the commands of SMTP as text", `Subject: a\r\n\r\n${hidden}`, `Subject: a\r\n\r\n${hidden}\r\n`],
    ["a dot and blanks", "Subject: a\r\n\r\n . \r\n.. \r\n.\t", "Subject: a\r\n\r\n . \r\n. \r\n\t\r\n"],
  ])("%s passes", async (_what, body, text) => {
    for (const mode of modes)
      for (const cut of cuts) {
        const { replies, box } = await hand(body, mode, cut);
        expect(replies).toEqual(["250 2.0.0", "221 2.0.0"]);
        expect(box.messages.map((message) => message.text.endsWith(`\r\n${text}`))).toEqual([true]);
      }
  });
});

describe("CR in MAIL and RCPT forged headers (CVE-2026-23829)", () => {
  test.each(
    [..."\0\x01\x07\b\v\f\r\x1b\x1f\x7f"].map((octet) => [`\\x${octet.charCodeAt(0).toString(16).padStart(2, "0")}`]),
  )("octet %s never passes", (octet) =>
    transcript(
      () => ({ plugins: [sink()], limits: { errors: 100 }, log: quietLog }),
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      R: MAIL FROM:<joe${octet}X-Evil: 1@example.net>\\r\\n
      S: 500 5.5.2 *
      R: MAIL FROM:<"joe${octet}X-Evil: 1"@example.net>\\r\\n
      S: 500 5.5.2 *
      R: MAIL FROM:<joe@example.net>${octet}\\r\\n
      S: 500 5.5.2 *
      C: MAIL FROM:<joe@example.net>
      S: 250 2.1.0 *
      R: RCPT TO:<jane${octet}@example.com>\\r\\n
      S: 500 5.5.2 *
      R: RCPT TO:<jane@example.com${octet}>\\r\\n
      S: 500 5.5.2 *
      R: RCPT TO:<"jane\\\\${octet}"@example.com>\\r\\n
      S: 500 5.5.2 *
      C: RCPT TO:<jane@example.com>
      S: 250 2.1.5 *
    `,
    ),
  );

  test("a line that ends with LF alone is no command", () =>
    transcript(
      () => ({ plugins: [sink()], log: quietLog }),
      String.raw`
      S: 220 *
      C: HELO client.test
      S: 250 *
      R: MAIL FROM:<joe@example.net>\n
      S: 500 5.5.2 *
      R: NOOP\nRSET\r\n
      S: 500 5.5.2 *
      S: 250 *
      C: RCPT TO:<jane@example.com>
      S: 503 5.5.1 *
    `,
    ));

  test("the control: quoted local parts and UTF-8 pass, and the fields on top are the server's", async () => {
    const root = emptyFolder();
    await transcript(
      () => ({
        plugins: [addressable({ domains: ["example.com"] }), maildir({ root, fsync: false })],
        default: { local: "maildir" },
      }),
      `
      S: 220 *
      ${ehlo().replace("client.test", "x;Return-Path:<a@b>")}
      C: MAIL FROM:<"Return-Path: x"@example.net> SMTPUTF8
      S: 250 2.1.0 *
      C: RCPT TO:<jane@example.com>
      S: 250 2.1.5 *
      C: DATA
      S: 354 *
      C: Subject: x
      C: .
      S: 250 2.0.0 *
    `,
    );
    for (const mail of stored(root, "example.com", "jane")) {
      const names = mail
        .split("\n")
        .filter((line) => /^[^\t ]/.test(line))
        .map((line) => line.split(":")[0]);
      expect(names).toEqual(["Return-Path", "Delivered-To", "Received", "Subject"]);
    }
  });
});

describe("CRLF injection into what is sent (golang/go 21159, ruby mail 1097, GHSA-c7w3-x93f-qmm8, GHSA-vvjj-xcjg-gr5g): one writer that throws", () => {
  test("no reply can be made of two lines", () => {
    for (const text of ["no\r\n250 2.0.0 Ok", "no\n", "no\r", "no\0", "n\u00f6", "\x1b[2J"]) {
      expect(() => reject(text), JSON.stringify(text)).toThrow(TypeError);
      expect(() => makeReply(550, "5.7.1", ["fine", text])).toThrow(TypeError);
    }
    expect(() => reject("No", { status: "5.7.1\r\n250 2.0.0" as "5.7.1" })).toThrow(TypeError);
  });

  test("what a handler throws reaches the client as one printable line", async () => {
    const handler: Handler = () => {
      throw Object.assign(new Error("no\r\n250 2.0.0 Ok: queued\0\x1b[2J\u00f6"), { responseCode: 550 });
    };
    await transcript(
      () => ({ plugins: [mux({ routes: { "*@example.com": handler } })], log: quietLog }),
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      C: MAIL FROM:<>
      S: 250 *
      C: RCPT TO:<jane@example.com>
      S: 250 *
      C: DATA
      S: 354 *
      C: .
      S: 550 5.0.0 no??250 2.0.0 Ok: queued??[2J?
      C: NOOP
      S: 250 *
    `,
    );
  });
});
