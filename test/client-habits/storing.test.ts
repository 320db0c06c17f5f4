import { addressable } from "@mailhost/plugin-addressable";
import { type MaildirOptions, maildir } from "@mailhost/plugin-maildir";
import { type Client, client, sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { anyTls, ehlo, emptyFolder, janesLogin, janesPassword, quietLog, stored } from "../support/dialogue.ts";
import { SocketClient, listen } from "../support/socket.ts";
import { belowTrace } from "../support/server.ts";

// The traps when storing, one by one.

const storing = (root: string, more: Omit<MaildirOptions, "root"> = {}) => ({
  plugins: [addressable({ domains: ["example.com"] }), maildir({ root, fsync: false, ...more })],
  default: { local: "maildir" },
  log: quietLog,
});

/** Hands in one message; gives its file. `lines` are those from MAIL on. */
async function store(
  body: string,
  mail = "MAIL FROM:<joe@example.net>",
  more: Omit<MaildirOptions, "root"> = {},
): Promise<string> {
  const root = emptyFolder();
  const speaker = await client(storing(root, more));
  await speaker.line();
  for (const line of ["EHLO client.test", mail, "RCPT TO:<jane@example.com>", "DATA"]) await speaker.ask(line);
  expect(await speaker.ask(`${body}\r\n.`)).toEqual([expect.stringMatching(/^250 2\.0\.0/)]);
  await speaker.close();
  return stored(root, "example.com", "jane")[0] ?? "";
}

const below = (mail: string): string => belowTrace(Buffer.from(mail, "latin1")).toString("latin1");

describe("Maildir files end their lines with LF; the conversion is exact", () => {
  test("CRLF to LF, nothing else", async () => {
    const mail = await store("Subject: x\r\n\r\none\r\n\r\ntwo  \r\n\t");
    expect(mail).not.toContain("\r");
    expect(below(mail)).toBe("Subject: x\n\none\n\ntwo  \n\t\n");
  });

  test("CRLF where it is asked for", async () => {
    const mail = await store("Subject: x\r\n\r\none", undefined, { crlf: true });
    expect(mail.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
    expect(below(mail)).toBe("Subject: x\r\n\r\none\r\n");
  });
});

describe("`with` in `Received`: RFC 3848 keywords by session; RFC 6531 §4.3 ones by the SMTPUTF8 parameter", () => {
  test.each([
    ["SMTP", "HELO", false, false, ""],
    ["ESMTP", "EHLO", false, false, ""],
    ["ESMTPS", "EHLO", true, false, ""],
    ["ESMTPA", "EHLO", false, true, ""],
    ["ESMTPSA", "EHLO", true, true, ""],
    ["UTF8SMTP", "EHLO", false, false, " SMTPUTF8"],
    ["UTF8SMTPS", "EHLO", true, false, " SMTPUTF8"],
    ["UTF8SMTPA", "EHLO", false, true, " SMTPUTF8"],
    ["UTF8SMTPSA", "EHLO", true, true, " SMTPUTF8"],
  ] as const)("with %s", async (word, greeting, tls, auth, parameter) => {
    const box = sink();
    const speaker = await client({
      plugins: [box, anyTls(), janesPassword({ allowInsecure: true })],
      log: quietLog,
    });
    await speaker.line();
    const lines = [
      ...(tls ? [`${greeting} client.test`, "STARTTLS"] : []),
      `${greeting} client.test`,
      ...(auth ? [`AUTH PLAIN ${janesLogin}`] : []),
      `MAIL FROM:<joe@example.com>${parameter}`,
      "RCPT TO:<jane@example.com>",
      "DATA",
      "text\r\n.",
    ];
    for (const line of lines) expect((await speaker.ask(line)).at(-1)).toMatch(/^[23]/);
    expect(/\bwith (\w+) /.exec(box.messages[0]?.text ?? "")?.[1]).toBe(word);
    await speaker.close();
  });
});

describe("`Return-Path` keeps the sender's case and quoting, `<>` for the null sender; the EHLO name is escaped", () => {
  test.each([
    ["<>", "", "<>"],
    ["<Joe.Doe@Example.NET>", "", "<Joe.Doe@Example.NET>"],
    ['<"Joe Doe"@example.net>', "", '<"Joe Doe"@example.net>'],
    [String.raw`<"a\"b\\c"@example.net>`, "", String.raw`<"a\"b\\c"@example.net>`],
    ["<@relay.test:Joe@example.net>", "", "<Joe@example.net>"],
    ["<Jürgen@Bücher.example>", " SMTPUTF8", "<Jürgen@Bücher.example>"],
  ])("MAIL FROM:%s", async (path, parameter, kept) => {
    const mail = await store("text", `MAIL FROM:${path}${parameter}`);
    expect(Buffer.from(mail, "latin1").toString().split("\n")[0]).toBe(`Return-Path: ${kept}`);
  });

  test("`EHLO a(b` opens no comment", async () => {
    const box = sink();
    await transcript(
      { plugins: [box] },
      `
      S: 220 *
      ${ehlo().replace("client.test", "a(b")}
      C: MAIL FROM:<>
      S: 250 *
      C: RCPT TO:<jane@example.com>
      S: 250 *
      C: DATA
      S: 354 *
      C: .
      S: 250 *
    `,
    );
    expect(box.messages[0]?.text).toContain(String.raw`Received: from [192.0.2.1] (helo=a\(b)`);
  });
});

describe("a message that starts with text that is no header must not join the trace block", () => {
  // The trace block, an empty line, then the text: the first lines of the text never become fields
  test.each([
    ["text", "just some text\r\nX-Not: a field"],
    ["a blank", " folded onto nothing\r\nX-Not: a field"],
    ["an mbox line", "From joe Sun Nov 22 12:00:00 2026\r\nX-Not: a field"],
    ["a colon without a name", ": x\r\nX-Not: a field"],
    ["an empty line", "\r\nX-Not: a field"],
  ])("%s", async (_what, body) => {
    const mail = await store(body);
    const content = body.replaceAll("\r\n", "\n");
    const expected = content.startsWith("\n") ? content : `\n${content}`;
    expect(below(mail)).toBe(`${expected}\n`);
  });

  test("one with headers and no blank line may get one", async () => {
    expect(below(await store("Subject: x\r\nno field"))).toMatch(/^Subject: x\n\n?no field\n$/);
    expect(below(await store("Subject: only"))).toMatch(/^Subject: only\n\n?$/);
  });
});

test("content is octets: legal 998-octet lines stay whole, longer ones too; more than 1,000 header lines as well", async () => {
  const fields = Array.from({ length: 1500 }, (_, index) => `X-Field-${index}: \u00fc${index}`).join("\r\n");
  const body = `${fields}\r\n\r\n${"a".repeat(998)}\r\n${"b".repeat(5000)}`;
  expect(below(await store(body))).toBe(`${Buffer.from(body).toString("latin1").replaceAll("\r\n", "\n")}\n`);
});

const greet = async (one: Client): Promise<Client> => {
  await one.line();
  await one.ask("HELO client.test");
  return one;
};
const handIn = async (one: Client, text: string): Promise<string | undefined> => {
  for (const line of ["MAIL FROM:<>", "RCPT TO:<jane@example.com>", "DATA"]) await one.ask(line);
  return (await one.ask(`Subject: ${text}\r\n.`))[0];
};

describe("thirty first deliveries into a mailbox that does not exist yet race on mkdir; a hundred messages on one connection race on names", () => {
  test("thirty first deliveries", async () => {
    const root = emptyFolder();
    const { port } = await listen(storing(root));
    const replies = await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        const one = SocketClient.to(port);
        await one.reply();
        for (const line of ["HELO client.test", "MAIL FROM:<>", "RCPT TO:<jane@example.com>", "DATA"])
          await one.ask(line);
        return one.ask(`Subject: first ${index}\r\n.`);
      }),
    );
    for (const reply of replies) expect(reply).toMatch(/^250 2\.0\.0/);
    const mails = stored(root, "example.com", "jane");
    const subjects = mails.map((mail) => /Subject: first (\d+)/.exec(mail)?.[1]);
    expect(subjects.toSorted((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: 30 }, (_, index) => `${index}`),
    );
  });

  test("a hundred messages on one connection", async () => {
    const root = emptyFolder();
    const one = await greet(await client({ ...storing(root), limits: { transactions: 200 } }));
    for (let index = 0; index < 100; index += 1) expect(await handIn(one, `${index}`)).toMatch(/^250 2\.0\.0/);
    await one.close();
    expect(new Set(stored(root, "example.com", "jane").map(below)).size).toBe(100);
  });
});
