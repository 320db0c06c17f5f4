import type { BareLineEnds, Limits } from "@mailhost/core";
import { type Client, client, sink } from "@mailhost/testkit";
import { describe, expect, onTestFinished, test } from "vitest";
import { quietLog } from "../support/dialogue.ts";
import { SocketClient, listen } from "../support/socket.ts";

// Every published end of data that is none, in every place where a reader may lose count: cut anywhere, at the very
// start, where the size limit is passed and behind it, across read buffers and across blocks of the spool file.

const lineEnds = ["\r\n", "\n", "\r", "\r\r\n", "\n\r", "\r\n\r"];

/** What servers took for the end (VU#302671 and what followed), and what none should; none holds CRLF . CRLF. */
const variants = [
  ...lineEnds.flatMap((before) => lineEnds.map((behind) => `${before}.${behind}`)),
  "\r\n\0.\r\n",
  "\r\n.\0\r\n",
  "\r\n.\r\0\n",
  "\r\0\n.\r\n",
  "\n\n.\r\n",
  "\r\n.\n\r\n",
  "\r\n.\r\r\n",
  "\r\n .\r\n",
  "\r\n. \r\n",
  "\r\n.\t\r\n",
  "\v.\v",
  "\f.\f",
  "\x85.\x85",
  "\xe2\x80\xa8.\xe2\x80\xa8",
  "\r\n..\r\n",
  "\\r\\n.\\r\\n",
  "%0d%0a.%0d%0a",
  "=0D=0A.=0D=0A",
].filter((variant) => !variant.includes("\r\n.\r\n"));

/** What would be run if the body had ended there: a message from somebody else. */
const hidden =
  "MAIL FROM:<boss@example.com>\r\nRCPT TO:<jane@example.com>\r\nDATA\r\nSubject: smuggled\r\n\r\nPay him.";
const tail = "Pay him.\r\n";
const header = "Subject: real\r\n\r\n";

const modes = ["refuse", "normalize"] as const;
const isBare = (text: string): boolean => /\r(?!\n)|(?<!\r)\n/.test(text);
const ok = "250 2.0.0";
const bareLineEnd = "550 5.6.1"; // the beginning of 550 5.6.11
const tooBig = "552 5.3.4";
const verdict = (text: string, mode: BareLineEnds): string => (mode === "refuse" && isBare(text) ? "550 5.6.1" : ok);

/** A dialogue in which bodies are handed in, one after the other. */
class Sender {
  readonly #box = sink();
  readonly #limits: Partial<Limits>;
  readonly #mode: BareLineEnds;
  #speaker: Client | undefined;

  constructor(mode: BareLineEnds, limits: Partial<Limits> = {}) {
    this.#mode = mode;
    this.#limits = { transactions: 100_000, commands: 1_000_000, ...limits };
  }

  async open(): Promise<this> {
    const options = { plugins: [this.#box], bareLineEnds: this.#mode, limits: this.#limits, log: quietLog };
    const speaker = await client({ ...options, patience: 10_000 });
    onTestFinished(() => speaker.close());
    await speaker.line();
    await speaker.ask("EHLO client.test");
    this.#speaker = speaker;
    return this;
  }

  /**
   * Sends a body in those pieces, its end and a NOOP; expects one reply of these, the NOOP's and not a word more, and
   * what was stored, if it was, to hold everything.
   */
  async hand(pieces: readonly string[], ...expected: readonly string[]): Promise<void> {
    const speaker = this.#speaker ?? expect.fail("not open");
    for (const line of ["MAIL FROM:<joe@example.net>", "RCPT TO:<jane@example.com>", "DATA"]) await speaker.ask(line);
    const heard = speaker.lines.length;
    const where = JSON.stringify(pieces.map((piece) => (piece.length > 60 ? `(${piece.length})` : piece)));
    for (const piece of [...pieces, "\r\n.\r\nNOOP\r\n"])
      expect(await speaker.pour(Buffer.from(piece, "latin1"))).toBe(true);
    await speaker.heard(heard + 2);
    const replies = speaker.lines.slice(heard).map((line) => line.slice(0, 9));
    expect(replies, where).toEqual([expect.toBeOneOf([...expected]), ok]);
    const taken = this.#box.messages.splice(0).map(({ reversePath, text }) => [reversePath, text.endsWith(tail)]);
    expect(taken, where).toEqual(replies[0] === ok ? [["joe@example.net", true]] : []);
    for (let read = 0; read < 2; read += 1) await speaker.line();
  }
}

/** Two pieces, and three, whichever way the middle is cut. */
function cuts(before: string, middle: string, behind: string): string[][] {
  const text = before + middle + behind;
  const at = Array.from({ length: middle.length + 3 }, (_, index) => before.length - 1 + index).filter(
    (one) => one > 0,
  );
  const pairs = at.flatMap((one) => at.filter((other) => other > one).map((other) => [one, other] as const));
  return [
    [text],
    ...at.map((one) => [text.slice(0, one), text.slice(one)]),
    ...pairs.map(([one, other]) => [text.slice(0, one), text.slice(one, other), text.slice(other)]),
    Array.from(text),
  ];
}

describe.each(modes)("every published end of data, %s", (mode) => {
  test("cut anywhere", { timeout: 60_000 }, async () => {
    const sender = await new Sender(mode).open();
    for (const variant of variants)
      for (const pieces of cuts(`${header}text`, variant, hidden)) await sender.hand(pieces, verdict(variant, mode));
  });

  test("at the very start, with and without a line end of its own", { timeout: 60_000 }, async () => {
    const sender = await new Sender(mode).open();
    const bare = variants
      .map((variant) => variant.slice(variant.indexOf(".")))
      .filter((one) => !one.startsWith(".\r\n"));
    for (const start of new Set([...variants.filter((one) => !one.startsWith(".\r\n")), ...bare]))
      for (const pieces of cuts("", start, hidden)) await sender.hand(pieces, verdict(start, mode));
  });

  test("where the size limit is passed, and behind it", { timeout: 60_000 }, async () => {
    const most = 300;
    const sender = await new Sender(mode, { messageOctets: most }).open();
    for (const variant of variants)
      for (const before of [...Array.from({ length: variant.length + 4 }, (_, at) => most - 2 - at), 2 * most])
        for (const pieces of cuts(header + "x".repeat(before - header.length), variant, hidden).slice(0, 20))
          await sender.hand(pieces, tooBig, bareLineEnd); // what was seen first
  });

  test.each([
    { what: "read buffers", octets: 64 * 1024, memory: 256 * 1024 },
    { what: "blocks of the spool file", octets: 256 * 1024, memory: 0 },
  ])("across $what", { timeout: 60_000 }, async ({ octets, memory }) => {
    const sender = await new Sender(mode, { messageMemoryOctets: memory }).open();
    for (const variant of variants)
      for (let at = 0; at <= variant.length; at += 1) {
        const before = header + "x".repeat(octets - at - header.length);
        await sender.hand([before + variant + hidden], verdict(variant, mode));
      }
  });
});

test("every published end of data, on a real socket, in one piece and cut in two", { timeout: 60_000 }, async () => {
  const box = sink();
  const { port } = await listen({ plugins: [box], limits: { transactions: 100_000, connectionsPerClient: 1000 } });
  const one = SocketClient.to(port);
  one.socket.setNoDelay(true);
  await one.reply();
  await one.ask("EHLO client.test");
  for (const variant of variants)
    for (const at of [undefined, ...Array.from({ length: variant.length + 1 }, (_, index) => index)]) {
      for (const line of ["MAIL FROM:<joe@example.net>", "RCPT TO:<jane@example.com>", "DATA"]) await one.ask(line);
      const pieces = at === undefined ? [variant] : [variant.slice(0, at), variant.slice(at)];
      const [first = "", ...rest] = pieces;
      one.send(`${header}text${first}`);
      for (const piece of rest) {
        await new Promise((resolve) => setImmediate(resolve));
        one.send(piece);
      }
      one.send(`${hidden}\r\n.\r\nNOOP\r\n`);
      const replies = [await one.reply(), await one.reply()].map((reply) => reply.slice(0, 9));
      expect(replies, JSON.stringify(pieces)).toEqual([verdict(variant, "refuse"), ok]);
      expect(box.messages.splice(0)).toHaveLength(isBare(variant) ? 0 : 1);
    }
  expect(await one.ask("QUIT")).toMatch(/^221 /);
});
