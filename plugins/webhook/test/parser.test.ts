import { definePlugin } from "@mailhost/core";
import { Client, TestClock, client } from "@mailhost/testkit";
import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { Parser } from "../src/parser.ts";
import { Endpoint, hand, memoryLog, options, replyTo, until } from "./kit.ts";

const octets = (text: string) => async (): Promise<Uint8Array> => Uint8Array.from(Buffer.from(text, "latin1"));

function parser(): Parser {
  const one = new Parser();
  onTestFinished(() => one.close());
  return one;
}

const read = async (one: Parser, text: string): Promise<unknown> => {
  const parsed = await one.parse(octets(text), new TestClock(), Infinity);
  return parsed !== undefined && "json" in parsed ? JSON.parse(Buffer.from(parsed.json).toString()) : parsed;
};

// postal-mime takes some 30 s for four megabytes of lines this short
const endless = `Content-Type: text/plain\r\n\r\n${"a\r\n".repeat(2_000_000)}`;

test("a message made to keep the parser busy costs its sender the message, and nobody else the server", async () => {
  const endpoint = await Endpoint.open();
  const clock = new TestClock();
  const { log, lines } = memoryLog();
  const one = await client({ ...options({ url: endpoint.url, format: "json" }), log, clock });
  onTestFinished(() => one.close());
  await hand(one, { lines: endless.split("\r\n") });
  // The server answers others meanwhile
  const other = await client({ ...options({ url: endpoint.url }) });
  onTestFinished(() => other.close());
  await hand(other);
  expect((await other.reply())[0]).toMatch(/^250/);
  await until(() => {
    clock.advance(500);
    return lines.length > 0;
  });
  expect((await one.reply())[0]).toBe("554 5.6.0 The message cannot be read");
  expect(lines.join("\n")).toContain("cannot be parsed: not parsed within 30000 ms");
  // The next one gets a new thread
  await hand(one);
  expect((await one.reply())[0]).toMatch(/^250/);
});

test("who waits for another's message to be parsed is told to come again when patience ends", async () => {
  const endpoint = await Endpoint.open();
  const clock = new TestClock();
  const { log, lines } = memoryLog();
  let received = 0;
  const counter = definePlugin({
    name: "counter",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (host) => host.hooks.data.tap("counter", () => void (received += 1)),
  });
  const asJson = options({ url: endpoint.url, format: "json", patience: 9000 }, { plugins: [counter()] });
  const one = await client({ ...asJson, log, clock });
  onTestFinished(() => one.close());
  const two = new Client(one.server);
  onTestFinished(() => two.hangUp());
  await hand(one, { lines: endless.split("\r\n") });
  await until(() => received === 1);
  await hand(two);
  await until(() => received === 2);
  await until(() => {
    clock.advance(500);
    return lines.length > 1;
  });
  expect((await one.reply())[0]).toBe("451 4.3.2 Too many messages at a time");
  expect((await two.reply())[0]).toBe("451 4.3.2 Too many messages at a time");
  expect(endpoint.got).toEqual([]);
});

test("what cannot be parsed is 554", async () => {
  const endpoint = await Endpoint.open();
  const lines = Array.from({ length: 300 }, (_, at) => [
    ...(at === 0 ? [] : [`--b${at - 1}`]),
    `Content-Type: multipart/mixed; boundary=b${at}`,
    "",
  ]).flat();
  expect(await replyTo({ url: endpoint.url, format: "json" }, endpoint, {}, { lines })).toBe(
    "554 5.6.0 The message cannot be read",
  );
  expect(endpoint.got).toEqual([]);
});

test("messages come out in order, each its own", async () => {
  const one = parser();
  const subjects = Array.from({ length: 20 }, (_, at) => `number ${at}`);
  const parsed = await Promise.all(subjects.map((subject) => read(one, `Subject: ${subject}\r\n\r\nx`)));
  expect(parsed.map((email) => (email as { subject: string }).subject)).toEqual(subjects);
});

test("closing ends what is under way, and takes nothing more", async () => {
  const one = parser();
  const busy = one.parse(octets(endless), new TestClock(), Infinity);
  const waits = one.parse(octets("x"), new TestClock(), Infinity);
  const [first, second] = [expect(busy).rejects.toThrow("closed"), expect(waits).rejects.toThrow("closed")];
  await new Promise((resolve) => setImmediate(resolve));
  await one.close();
  await Promise.all([first, second]);
  await expect(one.parse(octets("x"), new TestClock(), Infinity)).rejects.toThrow("closed");
});

test("property: any octets are parsed, or said to be none", async () => {
  const one = parser();
  const line = fc.constantFrom(
    "Content-Type: multipart/mixed; boundary=x", "--x", "--x--", "", "Content-Transfer-Encoding: base64", "Content-Type: message/rfc822",
    "Subject: =?utf-8?b?/w==?=", "Content-Type: text/html; charset=nothing", "\t", "ÿ\0", "__proto__: x", "From: <<>>,,;:",
  ); // prettier-ignore
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(line, fc.string()), { maxLength: 20 }), async (lines) => {
      const email = await read(one, lines.join("\r\n"));
      expect(email).toBeTypeOf("object");
      expect(Object.keys(email ?? {})).toEqual(expect.arrayContaining(["headers", "attachments"]));
    }),
  );
});
