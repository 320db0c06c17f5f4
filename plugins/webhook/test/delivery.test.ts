import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { definePlugin } from "@mailhost/core";
import { maildir } from "@mailhost/plugin-maildir";
import { mux } from "@mailhost/plugin-mux";
import { client, transcript } from "@mailhost/testkit";
import { expect, onTestFinished, test } from "vitest";
import { webhook } from "../src/index.ts";
import { Endpoint, everybody, hand, mail, memoryLog, options, partsOf, replyTo, status } from "./kit.ts";

const { log } = memoryLog();

test("2xx is the commit: the raw message and its envelope are with the endpoint", async () => {
  const endpoint = await Endpoint.open(status(204));
  await transcript(
    () => options({ url: endpoint.url }),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: MAIL FROM:<jane@example.com>
    S: 250 2.1.0 *
    C: RCPT TO:<joe@example.com>
    S: 250 2.1.5 *
    C: RCPT TO:<Ann@example.com>
    S: 250 2.1.5 *
    C: DATA
    S: 354 *
    C: Subject: dots
    C: 
    C: ..
    R: 8 bit \\xff\\x00\\r\\n
    C: .
    S: 250 2.0.0 Ok: queued as *
  `,
  );
  expect(endpoint.got).toHaveLength(3);
  for (const got of endpoint.got) {
    const { envelope, message } = await partsOf(got);
    expect(envelope).toMatchObject({
      transport: "webhook",
      nexthop: null,
      reversePath: "jane@example.com",
      recipients: ["joe@example.com", "Ann@example.com"],
      smtputf8: false,
      client: { address: "192.0.2.1", greeting: "client.test", identity: null, tls: false },
    });
    expect(envelope.receivedAt).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    expect(message.toString("latin1")).toMatch(/^Received: from client.test/);
    expect(message.toString("latin1")).toContain(` id ${envelope.id}`);
    // Byte for byte
    expect(message.toString("latin1").split("Subject: ")[1]).toBe("dots\r\n\r\n.\r\n8 bit \xff\0\r\n");
    expect(got.headers["content-length"]).toBe(String(got.body.length));
    expect(got.headers["webhook-id"]).toBe(got.headers["idempotency-key"]);
  }
});

test("as JSON the message is parsed", async () => {
  const endpoint = await Endpoint.open();
  const lines = [
    "From: =?utf-8?q?J=C3=BCrgen?= <j@example.com>", "To: joe@example.com", "Return-Path: <forged@example.com>",
    "MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="x"', "",
    "--x", "Content-Type: text/plain; charset=iso-8859-1", "Content-Transfer-Encoding: quoted-printable", "", "Gr=FC=DFe",
    "--x", 'Content-Type: application/octet-stream; name="a.bin"', "Content-Disposition: attachment", "Content-Transfer-Encoding: base64", "", "AAEC/w==",
    "--x--",
  ]; // prettier-ignore
  expect(await replyTo({ url: endpoint.url, format: "json" }, endpoint, {}, { lines })).toMatch(/^250 2.0.0/);
  const [got] = endpoint.got;
  expect(got?.headers["content-type"]).toBe("application/json");
  const { envelope, message } = JSON.parse(got?.body.toString() ?? "");
  expect(envelope.recipients).toEqual(["joe@example.com"]);
  expect(message.from).toEqual({ name: "Jürgen", address: "j@example.com" });
  expect(message.text).toBe("Grüße\n");
  expect(message.attachments).toMatchObject([{ filename: "a.bin", encoding: "base64", content: "AAEC/w==" }]);
  expect(message.headers[0].key).toBe("received");
  expect(message).not.toHaveProperty("returnPath");
});

test("the null sender is null, and local parts beyond ASCII stay as they are; domains are A-labels", async () => {
  const endpoint = await Endpoint.open();
  const utf8 = { from: "", to: ["jürgen@bücher.example"], parameters: " SMTPUTF8" };
  for (const format of ["raw", "json"] as const)
    expect(await replyTo({ url: endpoint.url, format }, endpoint, {}, utf8)).toMatch(/^250/);
  const envelopes = [
    (await partsOf(endpoint.got[0] ?? { headers: {}, body: Buffer.alloc(0) })).envelope,
    JSON.parse(endpoint.got[1]?.body.toString() ?? "").envelope,
  ];
  for (const envelope of envelopes)
    expect(envelope).toMatchObject({ reversePath: null, recipients: ["jürgen@xn--bcher-kva.example"], smtputf8: true });
});

test("a thousand recipients are one request", async () => {
  const endpoint = await Endpoint.open();
  const to = Array.from({ length: 1000 }, (_, at) => `a-rather-long-name-for-a-recipient-${at}@example.com`);
  expect(await replyTo({ url: endpoint.url }, endpoint, {}, { to })).toMatch(/^250/);
  expect(endpoint.got).toHaveLength(1);
  const { envelope } = await partsOf(endpoint.got[0] ?? { headers: {}, body: Buffer.alloc(0) });
  expect(envelope.recipients).toEqual(to);
});

test("two nexthops are two requests, in two transactions", async () => {
  const endpoint = await Endpoint.open();
  const message = (nexthop: string) => `
    C: DATA
    S: 354 *
    C: Subject: ${nexthop}
    C: .
    S: 250 2.0.0 *`;
  await transcript(
    () => options({ url: endpoint.url }),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: MAIL FROM:<>
    S: 250 2.1.0 *
    C: RCPT TO:<a+one@example.com>
    S: 250 2.1.5 *
    C: RCPT TO:<b+two@example.com>
    S: 452 4.5.3 *
    C: RCPT TO:<c+one@example.com>
    S: 250 2.1.5 *${message("one")}
    C: MAIL FROM:<>
    S: 250 2.1.0 *
    C: RCPT TO:<b+two@example.com>
    S: 250 2.1.5 *${message("two")}
  `,
  );
  const envelopes = (await Promise.all(endpoint.got.map(partsOf))).map(({ envelope }) => envelope);
  expect(envelopes.slice(0, 2)).toMatchObject([
    { nexthop: "one", recipients: ["a+one@example.com", "c+one@example.com"] },
    { nexthop: "two", recipients: ["b+two@example.com"] },
  ]);
});

test("mux routes to it by name, and it may stand twice", async () => {
  const [orders, others] = [await Endpoint.open(), await Endpoint.open()];
  await transcript(
    () => ({
      log,
      plugins: [
        mux({ routes: { "orders@example.com": "orders", "*@example.com": "webhook" } }),
        webhook({ url: others.url }),
        webhook({ url: orders.url, format: "json" }, { as: "orders" }),
      ],
    }),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: MAIL FROM:<>
    S: 250 2.1.0 *
    C: RCPT TO:<orders@example.com>
    S: 250 2.1.5 *
    C: DATA
    S: 354 *
    C: Subject: x
    C: .
    S: 250 2.0.0 *
  `,
  );
  expect(orders.got).toHaveLength(3);
  expect(others.got).toHaveLength(0);
  expect(JSON.parse(orders.got[0]?.body.toString() ?? "").envelope.transport).toBe("orders");
});

test("a mailbox beside it holds the message when the endpoint took it, and nothing when it did not", async () => {
  const endpoint = await Endpoint.open(status(422, 200));
  const root = mkdtempSync(join(tmpdir(), "mailhost-webhook-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const both = definePlugin({
    name: "both",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (host) =>
      host.hooks.rcpt.tap("both", (recipient) => {
        recipient.permit("local");
        recipient.routeTo({ transport: recipient.address.localPart === "joe" ? "maildir" : "webhook" });
      }),
  });
  const speaker = await client({
    log,
    plugins: [both(), maildir({ root, fsync: false }), webhook({ url: endpoint.url })],
  });
  onTestFinished(() => speaker.close());
  const to = ["joe@example.com", "hook@example.com"];
  const inbox = () => readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  await hand(speaker, { to });
  expect((await speaker.reply())[0]).toBe("550 5.7.1 The message was refused");
  expect(inbox()).toEqual([]);
  await hand(speaker, { to });
  expect((await speaker.reply())[0]).toMatch(/^250/);
  expect(inbox()).toHaveLength(1);
});

test("what another plugin added is in the message, and does not change the key", async () => {
  const endpoint = await Endpoint.open();
  let count = 0;
  const stamp = definePlugin({
    name: "stamp",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (host) =>
      host.hooks.data.tap("stamp", (message) => {
        count += 1;
        message.addField("X-Stamp", `number ${count}`);
      }),
  });
  const speaker = await client({ log, plugins: [stamp(), everybody(), webhook({ url: endpoint.url })] });
  onTestFinished(() => speaker.close());
  const messages = [
    {},
    {},
    { to: ["ann@example.com"] },
    { lines: [...mail, "PS"] },
    { lines: mail.slice(2) },
    { lines: mail.slice(2) },
  ];
  for (const message of messages) {
    await hand(speaker, message);
    expect((await speaker.reply())[0]).toMatch(/^250/);
  }
  const keys = endpoint.got.map(({ headers }) => headers["idempotency-key"]);
  // The client that lost a 250 sends the same again: the same key, and no other message has it
  expect(keys[0]).toBe(keys[1]);
  // Neither Message-ID nor Date: sent twice may be meant twice
  expect(new Set(keys).size).toBe(5);
  const { message } = await partsOf(endpoint.got[0] ?? { headers: {}, body: Buffer.alloc(0) });
  expect(message.toString()).toMatch(/^X-Stamp: number 1\r\nReceived: /);
});
