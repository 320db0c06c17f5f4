import * as fc from "fast-check";
import { connect } from "node:net";
import { createTransport } from "nodemailer";
import { expect, onTestFinished, test } from "vitest";
import { SocketClient } from "../../test/support/socket.ts";
import { type Inbox, inbox } from "../src/index.ts";
import { findLinks } from "../src/inbox/links.ts";

async function open(): Promise<Inbox> {
  const mail = await inbox();
  onTestFinished(() => mail.close());
  return mail;
}

/** A client that is ready to hand in bodies. */
async function dialogue(mail: Inbox): Promise<(body: Uint8Array) => Promise<string>> {
  const client = new SocketClient(connect(mail.port, mail.host));
  await client.reply();
  await client.ask("EHLO app.test");
  return async (body) => {
    for (const line of ["MAIL FROM:<>", "RCPT TO:<jane@example.com>", "DATA"]) await client.ask(line);
    client.socket.write(body);
    return client.reply();
  };
}

const utf8 = new TextEncoder();
const crlf = "\r\n";

test("raw is what was sent, whatever it is", async () => {
  const mail = await open();
  const say = await dialogue(mail);
  const line = fc.oneof(
    fc.constantFrom("", ".", "..", "Subject: x", "Received: from a by b; now", "X-A:b", " folded", "no header", ".dot"),
    fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => text.replace(/[\r\n]/g, "")),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 8 }), async (lines) => {
      const text = lines.map((one) => one + crlf).join("");
      expect(
        await say(
          utf8.encode(`${lines.map((one) => (one.startsWith(".") ? `.${one}` : one) + crlf).join("")}.${crlf}`),
        ),
      ).toMatch(/^250 /);
      expect(new TextDecoder("utf-8", { ignoreBOM: true }).decode((await mail.next()).raw)).toBe(text);
    }),
    { numRuns: 200, examples: [[[]], [["body alone"]], [["", "body alone"]], [[" x"]], [["Received: a"]]] },
  );
});

test("octets that are no text are kept", async () => {
  const mail = await open();
  const say = await dialogue(mail);
  const octets = Uint8Array.from({ length: 256 }, (_, index) => (index === 10 || index === 13 ? 0x20 : index));
  const body = Buffer.concat([utf8.encode("Subject: x\r\n\r\n"), octets, utf8.encode("\r\n")]);
  await say(Buffer.concat([body, utf8.encode(".\r\n")]));
  expect(Buffer.from((await mail.next()).raw).equals(body)).toBe(true);
});

test("a message that does not fit into memory is whole", async () => {
  const mail = await open();
  const content = Buffer.alloc(3_000_000, "0123456789");
  await createTransport(mail.url).sendMail({
    from: "a@example.com",
    to: "b@example.com",
    text: "x",
    attachments: [{ filename: "big", content }],
  });
  const [attachment] = (await mail.next()).attachments;
  expect(Buffer.from(attachment?.content as ArrayBuffer).equals(content)).toBe(true);
});

test("a message of HTML alone has a text all the same", async () => {
  const mail = await open();
  const html = "<html><body><h1>Hello Zoë</h1><p>Your code is <b>123456</b> &amp; no more.</p></body></html>";
  await createTransport(mail.url).sendMail({ from: "a@example.com", to: "b@example.com", html });
  const message = await mail.next();
  expect(message.parsed.text).toBeUndefined();
  expect(message.text).toContain("Your code is 123456 & no more.");
  expect(message.text).toContain("Hello Zoë");
  expect(message.html).toBe(html);
});

test("what postal-mime cannot read arrives, and says so when it is asked for", async () => {
  const mail = await open();
  const say = await dialogue(mail);
  const depth = 300;
  const head = Array.from(
    { length: depth },
    (_, level) => `Content-Type: multipart/mixed; boundary=b${level}\r\n\r\n--b${level}\r\n`,
  );
  expect(await say(utf8.encode(`${head.join("")}\r\nx\r\n.\r\n`))).toMatch(/^250 /);
  const message = await mail.next({ to: "jane@example.com" });
  expect(message).toMatchObject({ subject: "", text: "", html: "", links: [], attachments: [] });
  expect(() => message.parsed).toThrow(/nesting depth/i);
  expect(message.header("Content-Type")).toBe("");
});

test.each([
  ['<a href="https://a.example/">x</a>', "", ["https://a.example/"]],
  ["<A HREF = 'https://a.example/?x=\"'>x</A>", "", ['https://a.example/?x="']],
  ["<a class=b href=https://a.example/c>x</a>", "", ["https://a.example/c"]],
  ['<a href="https://a.example/?a=1&amp;b=2&#38;c&#x3D;3&unknown;">', "", ["https://a.example/?a=1&b=2&c=3&unknown;"]],
  ['<a href="&#x110000;#">', "", ["&#x110000;#"]],
  ['<a href="mailto:help@a.example">', "", ["mailto:help@a.example"]],
  ['<a href="#top"><a href=""><a data-href="https://b.example/">', "", []],
  ['<!-- <a href="https://a.example/"> -->', "", []],
  ["", "Go to https://a.example/x?y=1, or (https://b.example/z).", ["https://a.example/x?y=1", "https://b.example/z"]],
  [
    "",
    "<https://a.example/> [https://b.example] https://c.example/a_(b)",
    ["https://a.example/", "https://b.example", "https://c.example/a_(b)"],
  ],
  [
    '<a href="https://a.example/">',
    "https://a.example/ https://b.example",
    ["https://a.example/", "https://b.example"],
  ],
])("links of %j and %j", (html, text, links) => {
  expect(findLinks(html, text)).toEqual(links);
});

test.each([
  ["<!--".repeat(50_000), ""],
  [" href = ".repeat(50_000), ""],
  ["", `https://a.example/${")".repeat(50_000)}`],
  ["", `http://a${".".repeat(50_000)}b`],
])("long nonsense is looked through in no time", (html, text) => expect(findLinks(html, text).length).toBeLessThan(2));
