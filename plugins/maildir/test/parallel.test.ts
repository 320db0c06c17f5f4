import { readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { defer, definePlugin } from "@mailhost/core";
import { expect, test } from "vitest";
import { maildir, mailboxPath } from "../src/index.ts";
import { Client, emptyFolder, everybody, filesBelow, quietLog, serve, stored, storing } from "./server.ts";

const hello = (number: number): string => `Subject: ${number}\r\n\r\nHello ${number}.`;

/** Hands in so many messages at once, each over a session of its own. */
async function handInAll(
  options: Parameters<typeof storing>[0],
  count: number,
  recipient = "jane@example.com",
): Promise<string[]> {
  const server = await serve(storing(options));
  const sessions = await Promise.all(Array.from({ length: count }, () => new Client(server).greet()));
  const replies = await Promise.all(sessions.map((one, number) => one.deliver([recipient], hello(number))));
  for (const session of sessions) session.leave();
  return replies;
}

const subjects = (texts: readonly string[]): number[] =>
  texts.map((text) => Number(/^Subject: (\d+)$/m.exec(text)?.[1])).toSorted((a, b) => a - b);

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

/** Octets of buffers that are in use: what nobody has collected yet depends on the collector's mood. */
function held(): number {
  if (typeof collect === "function") collect();
  return process.memoryUsage().arrayBuffers;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

test("fifty parallel deliveries to one mailbox lose and double nothing", async () => {
  const root = await emptyFolder();
  await mkdir(mailboxPath(root, "jane@example.com"), { recursive: true });
  const replies = await handInAll({ root }, 50);
  expect(new Set(replies.map((reply) => reply.slice(0, 9)))).toEqual(new Set(["250 2.0.0"]));
  expect(subjects(stored(mailboxPath(root, "jane@example.com")))).toEqual(upTo(50));
});

test.each(["jane@example.com", "jane+shop@example.com"])(
  "thirty first deliveries to %s all succeed",
  async (address) => {
    const root = `${await emptyFolder()}/not/there/yet`;
    const replies = await handInAll({ root }, 30, address);
    expect(new Set(replies.map((reply) => reply.slice(0, 9)))).toEqual(new Set(["250 2.0.0"]));
    expect(subjects(stored(mailboxPath(root, address)))).toEqual(upTo(30));
  },
);

test("a hundred messages on one connection have a hundred names", async () => {
  const root = await emptyFolder();
  const server = await serve(storing({ root, fsync: false }));
  const client = await new Client(server).greet();
  for (const number of upTo(100)) expect(await client.deliver(["jane@example.com"], hello(number))).toMatch(/^250 /);
  client.leave();
  expect(subjects(stored(mailboxPath(root, "jane@example.com")))).toEqual(upTo(100));
});

test("twenty deliveries share what room there is", async () => {
  const root = await emptyFolder();
  const replies = await handInAll({ root, quota: { messages: 7 } }, 20);
  const accepted = replies.filter((reply) => reply.startsWith("250"));
  const deferred = replies.filter((reply) => reply.startsWith("452 4.2.2"));
  // A message that is being shown counts twice for a moment: fewer may get in, never more
  expect(accepted.length).toBeLessThanOrEqual(7);
  expect(accepted.length).toBeGreaterThan(0);
  expect(accepted.length + deferred.length).toBe(20);
  expect(stored(mailboxPath(root, "jane@example.com"))).toHaveLength(accepted.length);
});

test("a hundred recipients get their copies", async () => {
  const root = await emptyFolder();
  const server = await serve(storing({ root }));
  const client = await new Client(server).greet();
  const recipients = upTo(100).map((number) => `user${number}@example.com`);
  expect(await client.deliver(recipients, hello(1))).toMatch(/^250 /);
  client.leave();
  for (const recipient of recipients) {
    const [text = ""] = stored(mailboxPath(root, recipient));
    expect(text).toContain(`\nDelivered-To: ${recipient}\n`);
  }
  expect(filesBelow(root)).toHaveLength(100);
});

test("a folder that is there already, among many mailboxes that are not", async () => {
  const root = await emptyFolder();
  const server = await serve(storing({ root }));
  const client = await new Client(server).greet();
  const tagged = upTo(10).map((number) => `jane+${number}@example.com`);
  expect(await client.deliver(tagged, hello(1))).toMatch(/^250 /);
  const recipients = tagged.flatMap((one, number) => [one, `user${number}+tag@example.com`]);
  expect(await client.deliver(recipients, hello(2))).toMatch(/^250 /);
  client.leave();
  for (const one of tagged) expect(subjects(stored(mailboxPath(root, one)))).toEqual([1, 2]);
});

test("deliveries that are taken back do not disturb those that are not", async () => {
  const base = await emptyFolder();
  let calls = 0;
  const everySecond = definePlugin({
    name: "every-second",
    version: "1.0.0",
    core: "^1.0.0",
    after: ["maildir"],
    apply: (host) =>
      host.hooks.queue.for("maildir").tap("refuse", () => ((calls += 1) % 2 === 0 ? defer("Not now") : undefined)),
  })();
  for (const round of upTo(10)) {
    const root = `${base}/${round}`;
    const server = await serve({ plugins: [...storing({ root }).plugins, everySecond], log: quietLog });
    const sessions = await Promise.all(upTo(20).map(() => new Client(server).greet()));
    const replies = await Promise.all(sessions.map((one, number) => one.deliver(["jane@example.com"], hello(number))));
    for (const session of sessions) session.leave();
    const taken = upTo(20).filter((number) => replies[number]?.startsWith("250"));
    expect(replies.filter((reply) => reply === "451 4.7.1 Not now")).toHaveLength(10);
    expect(taken).toHaveLength(10);
    expect(subjects(stored(mailboxPath(root, "jane@example.com")))).toEqual(taken);
    expect(readdirSync(mailboxPath(root, "jane@example.com")).toSorted()).toEqual(["cur", "new", "tmp"]);
  }
});

test("when all are taken back, nothing is left", async () => {
  const root = await emptyFolder();
  const refusing = definePlugin({
    name: "refusing",
    version: "1.0.0",
    core: "^1.0.0",
    after: ["maildir"],
    apply: (host) => host.hooks.queue.for("maildir").tap("refuse", () => defer("Not now")),
  })();
  const server = await serve({ plugins: [...storing({ root }).plugins, refusing], log: quietLog });
  const sessions = await Promise.all(upTo(20).map(() => new Client(server).greet()));
  const recipients = ["jane@example.com", "jane+shop@example.com", "john@example.com"];
  await Promise.all(sessions.map((one, number) => one.deliver(recipients, hello(number))));
  for (const session of sessions) session.leave();
  expect(readdirSync(root)).toEqual([]);
});

test("a listener for each port, one store", async () => {
  const root = await emptyFolder();
  const server = await serve({
    plugins: [everybody(), maildir({ root, quota: { messages: 1 } })],
    log: quietLog,
    listeners: [
      { name: "transfer", port: 0 },
      { name: "submission", port: 0, mode: "submission" },
    ],
  });
  const client = await new Client(server).greet();
  expect(await client.deliver(["jane@example.com"], hello(0))).toMatch(/^250 /);
  expect(await client.deliver(["jane@example.com"], hello(1))).toMatch(/^452 4\.2\.2 /);
  client.leave();
});

test("twenty megabytes to ten recipients take a bounded amount of memory", async () => {
  const root = await emptyFolder();
  const server = await serve({ ...storing({ root, fsync: false }), limits: { messageOctets: 32 << 20 } });
  const client = await new Client(server).greet();
  const recipients = upTo(10).map((number) => `user${number}@example.com`);
  const line = `${"x".repeat(998)}\r\n`;
  const body = `Subject: big\r\n\r\n${line.repeat(20_000)}end`;
  const before = held();
  const more: number[] = [];
  const watch = setInterval(() => more.push(held() - before), 20);
  expect(await client.deliver(recipients, body)).toMatch(/^250 /);
  clearInterval(watch);
  client.leave();
  for (const recipient of recipients) {
    const [text = ""] = stored(mailboxPath(root, recipient));
    if (!text.endsWith(`\n\n${line.replace("\r", "").repeat(20_000)}end\n`))
      expect.fail(`${recipient} got another message`);
  }
  expect(more).not.toEqual([]);
  expect(Math.max(...more)).toBeLessThan(64 << 20);
});
