import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Generation, type Host, type MailhostOptions, definePlugin } from "@mailhost/core";
import addressable from "@mailhost/plugin-addressable";
import debugLog from "@mailhost/plugin-debug-log";
import maildir from "@mailhost/plugin-maildir";
import mux from "@mailhost/plugin-mux";
import { expect, onTestFinished, test } from "vitest";
import { Memory, anyTls, janesPassword, quietLog } from "./support/dialogue.ts";
import { SocketClient, listen } from "./support/socket.ts";

// What a hundred reloads leave in memory: the generation in force, and nothing of those before it.

setFlagsFromString("--expose-gc");
// The flag gives every context that is made from now on a function of that name
const collectGarbage = runInNewContext("gc") as () => void;

const reloads = 100;

interface Made {
  readonly hosts: WeakRef<Host>[];
  readonly generations: WeakRef<Generation>[];
  readonly closed: number[];
}

/** Holds what plugins hold: its host, octets of its own, and a value with one owner across generations. */
const holder = (number: number, { hosts, closed }: Made) =>
  definePlugin({
    name: "holder",
    version: "1.0.0",
    core: "^1.0.0",
    async apply(host) {
      hosts.push(new WeakRef(host));
      const octets = Buffer.alloc(64 * 1024, number);
      await host.shared("for all", () => ({ opened: number }));
      host.hooks.data.tap("holder", (message) => message.addField("X-Holder", `${octets[0]} ${host.listener.name}`));
      host.onClose(() => void closed.push(number));
    },
  })();

function generation(number: number, root: string, made: Made): MailhostOptions {
  const many = number % 2 === 0;
  const store = maildir({ root, path: `${number % 3}/{local}`, fsync: false });
  const rest = many
    ? [anyTls(), janesPassword({ allowInsecure: true }), mux({ routes: { "*@example.com": "maildir" } })]
    : [addressable({ domains: ["example.com"] }), debugLog({ text: new Memory() })];
  return {
    name: `mx-${number}.example.com`,
    log: quietLog,
    listeners: [{ name: "mx", host: "127.0.0.1", port: 0 }],
    plugins: [store, ...rest, holder(number, made)],
    default: { local: "maildir" },
  };
}

async function deliver(client: SocketClient): Promise<void> {
  for (const line of ["EHLO client.test", "MAIL FROM:<joe@client.test>", "RCPT TO:<jane@example.com>", "DATA"])
    expect(await client.ask(line)).toMatch(/^[23]/);
  expect(await client.ask("Subject: hello\r\n\r\nHello\r\n.")).toMatch(/^250/);
}

async function leave(client: SocketClient): Promise<void> {
  await client.ask("QUIT");
  await client.rest();
}

test(`${reloads} generations with sessions are collected, and each was closed once`, async () => {
  const root = mkdtempSync(join(tmpdir(), "mailhost-reload-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const made: Made = { hosts: [], generations: [], closed: [] };
  const { server, port } = await listen(generation(0, root, made));
  const note = (): void => void made.generations.push(...server.generations.map((one) => new WeakRef(one)));
  note();
  for (let number = 1; number <= reloads; number += 1) {
    const old = SocketClient.to(port);
    await old.reply();
    await server.reload(generation(number, root, made));
    note();
    await expect(
      server.reload({ ...generation(-number, root, made), default: { local: "nowhere" } }),
    ).rejects.toThrow();
    await deliver(old);
    await leave(old);
  }
  const before = Array.from({ length: reloads }, (_, number) => number);
  const broken = before.map((number) => -1 - number);
  await expect
    .poll(() => made.closed.toSorted((one, other) => one - other))
    .toEqual([...broken.toReversed(), ...before]);
  expect(await living(made.generations)).toEqual([server.generations[0]]);
  // The first one opened the value they all share, and holds what `open` holds as long as that lives
  expect((await living(made.hosts)).length).toBeLessThanOrEqual(2);
});

async function living<T extends WeakKey>(references: readonly WeakRef<T>[]): Promise<T[]> {
  // A reference that was looked at lives to the end of its turn
  for (let turn = 0; turn < 5; turn += 1) {
    await sleep(10);
    collectGarbage();
  }
  return references.flatMap((reference) => reference.deref() ?? []);
}
