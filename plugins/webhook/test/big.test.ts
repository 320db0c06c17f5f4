import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { setTimeout as sleep } from "node:timers/promises";
import { client, sink, transcript } from "@mailhost/testkit";
import { expect, onTestFinished, test } from "vitest";
import { definePlugin } from "@mailhost/core";
import { webhook } from "../src/index.ts";
import { Endpoint, mail, options, replyTo } from "./kit.ts";

/** The local part names the transport. */
const byName = definePlugin({
  name: "by-name",
  version: "1.0.0",
  core: "^1.0.0",
  apply: (host) =>
    host.hooks.rcpt.tap("by-name", (recipient) => {
      recipient.permit("local");
      recipient.routeTo({ transport: recipient.address.localPart });
    }),
});

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

const megabyte = 1024 * 1024;

test(
  "20 MB to an endpoint that reads slowly are not held in memory, and arrive whole",
  { timeout: 60_000 },
  async () => {
    let resume = (): void => {};
    let asked = false;
    const hash = createHash("sha256");
    let octets = 0;
    const server = createServer((request, response) => {
      asked = true;
      resume = () =>
        void request
          .on("data", (chunk: Buffer) => {
            hash.update(chunk);
            octets += chunk.length;
          })
          .on("end", () => response.end());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;

    const one = await client({ ...options({ url: `http://127.0.0.1:${port}/`, timeout: 500_000 }), patience: 30_000 });
    onTestFinished(() => one.close());
    await one.reply();
    for (const line of ["EHLO c", "MAIL FROM:<>", "RCPT TO:<joe@example.com>", "DATA"]) await one.ask(line);
    one.send("Message-ID: <big@client.test>\r\nSubject: big\r\n");
    const piece = Buffer.from(`${"x".repeat(70)}\r\n`.repeat(1000));
    const pieces = Math.ceil((20 * megabyte) / piece.length);
    collect();
    const before = process.memoryUsage().arrayBuffers;
    for (let number = 0; number < pieces; number += 1) {
      one.send(piece);
      if (number % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    one.send(".");
    const reply = one.reply();
    while (!asked) await sleep(5);
    // Time enough to read it all, if nothing held it back. What was let go of is counted until it is swept, a little later
    let held = Infinity;
    for (let look = 0; look < 50 && held >= 5 * megabyte; look += 1) {
      await sleep(200);
      collect();
      held = process.memoryUsage().arrayBuffers - before;
    }
    expect(held).toBeLessThan(5 * megabyte);
    resume();
    expect((await reply)[0]).toMatch(/^250/);
    expect(octets).toBeGreaterThan(pieces * piece.length);
  },
);

test("as JSON there is a limit, and nothing is asked beyond it", async () => {
  const endpoint = await Endpoint.open();
  const lines = [
    ...mail,
    ..."x"
      .repeat(200)
      .split("")
      .map(() => "x".repeat(70)),
  ];
  const asJson = { url: endpoint.url, format: "json" } as const;
  expect(await replyTo({ ...asJson, maxJsonOctets: 10_000 }, endpoint, {}, { lines })).toBe(
    "552 5.3.4 The message is too big",
  );
  expect(endpoint.got).toEqual([]);
  expect(await replyTo({ ...asJson, maxJsonOctets: 20_000 }, endpoint, {}, { lines })).toMatch(/^250/);
});

test("what is declared to be too big is refused at RCPT, and other transports take it", () =>
  transcript(
    {
      plugins: [
        sink({ everything: false }),
        byName(),
        webhook({ url: "http://localhost/", format: "json", maxJsonOctets: 9999 }),
      ],
    },
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: MAIL FROM:<> SIZE=10000
    S: 250 2.1.0 *
    C: RCPT TO:<webhook@example.com>
    S: 552 5.3.4 The message is too big
    C: RCPT TO:<sink@example.com>
    S: 250 2.1.5 *
    C: RSET
    S: 250 *
    C: MAIL FROM:<> SIZE=9999
    S: 250 2.1.0 *
    C: RCPT TO:<webhook@example.com>
    S: 250 2.1.5 *
  `,
  ));
