import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mailboxPath } from "@mailhost/plugin-maildir";
import { expect, onTestFinished, test } from "vitest";
import { RawClient } from "./kill/client.ts";

// P9: after kill -9 at any point an acknowledged message exists whole, at least once per recipient.

const rounds = process.env["CI"] === undefined ? 5 : 20;
const clients = 20;
const boxes = ["jane@example.com", "john@example.com", "zoe@example.com"];

/** What was handed in, by its number. */
interface Sent {
  readonly recipients: readonly string[];
  readonly text: string;
  acknowledged: boolean;
  /** Times it was handed in without a 250. */
  unanswered: number;
}

test(`kill -9 at ${rounds} moments loses nothing that was acknowledged`, { timeout: 300_000 }, async () => {
  const root = await mkdtemp(join(tmpdir(), "mailhost-kill-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const sent: Sent[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const server = await start(root);
    await Promise.all(sent.filter((one) => !one.acknowledged).map((one) => handIn(server.port, [one])));
    let acknowledged = 0;
    const moment = 1 + ((round * 37) % 101); // the server dies at this 250, amid the work of the other clients
    const over = (): boolean => {
      acknowledged += 1;
      if (acknowledged === moment) server.child.kill("SIGKILL");
      return false;
    };
    await Promise.all(Array.from({ length: clients }, () => handIn(server.port, endless(sent), over)));
    server.child.kill("SIGKILL"); // if the clients were refused before that
    await server.exited;
    expect(acknowledged).toBeGreaterThanOrEqual(moment);
    check(root, sent);
  }
  const server = await start(root);
  await Promise.all(sent.filter((one) => !one.acknowledged).map((one) => handIn(server.port, [one])));
  expect(sent.every((one) => one.acknowledged)).toBe(true);
  check(root, sent);
  await expect.poll(() => boxes.flatMap((box) => files(root, box, "tmp"))).toEqual([]);
  server.child.kill("SIGKILL");
  await server.exited;
});

async function start(root: string): Promise<{ child: ChildProcess; port: number; exited: Promise<unknown> }> {
  const program = fileURLToPath(new URL("kill/server.ts", import.meta.url));
  const args = ["-C", "@mailhost/source", "--import", "tsx", program, root];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const exited = once(child, "exit");
  const died = exited.then(() => Promise.reject(new Error("the server did not start")));
  const [line] = await Promise.race([once(child.stdout, "data"), died]);
  return { child, port: Number(String(line)), exited };
}

/** Hands messages in one after the other, until there are no more or the server is gone. */
async function handIn(port: number, messages: Iterable<Sent>, acknowledge = (): boolean => false): Promise<void> {
  const client = new RawClient(port);
  if (await client.greet())
    for (const message of messages) {
      const done = await client.deliver(message.recipients, message.text);
      message.acknowledged = done;
      if (!done) message.unanswered += 1;
      if (!done || acknowledge()) break;
    }
  client.leave();
}

function* endless(sent: Sent[]): Generator<Sent> {
  for (;;) {
    const number = sent.length;
    const recipients = boxes.slice(0, 1 + (number % boxes.length));
    // From some hundred octets to more than the server keeps in memory
    const lines = 10 + ((number * number * 31) % 5000);
    const text = `Message-ID: <${number}@client.test>\r\n\r\n${`line ${number}\r\n`.repeat(lines)}end ${number}\r\n`;
    const message: Sent = { recipients, text, acknowledged: false, unanswered: 0 };
    sent.push(message);
    yield message;
  }
}

/** Whatever a reader may see is whole, and how often each message is there is what was answered. */
function check(root: string, sent: readonly Sent[]): void {
  for (const box of boxes) {
    const copies = new Map<number, number>();
    for (const path of files(root, box, "new")) {
      const text = readFileSync(path, "latin1");
      const number = Number(/^Message-ID: <(\d+)@client\.test>$/m.exec(text)?.[1]);
      const message = sent[number];
      expect(message?.recipients, path).toContain(box);
      const original = text.slice(text.indexOf("Message-ID: "));
      if (original !== message?.text.replaceAll("\r\n", "\n")) expect.fail(`message ${number} is not whole: ${path}`);
      copies.set(number, (copies.get(number) ?? 0) + 1);
    }
    for (const [number, { recipients, acknowledged, unanswered }] of sent.entries()) {
      const count = copies.get(number) ?? 0;
      const expected = recipients.includes(box) ? 1 : 0;
      if (acknowledged) expect(count, `copies of message ${number} for ${box}`).toBeGreaterThanOrEqual(expected);
      const most = expected * (unanswered + (acknowledged ? 1 : 0));
      expect(count, `copies of message ${number} for ${box}`).toBeLessThanOrEqual(most);
    }
  }
}

function files(root: string, box: string, folder: string): string[] {
  const path = join(mailboxPath(root, box), folder);
  try {
    return readdirSync(path).map((name) => join(path, name));
  } catch {
    return []; // not one message for it yet
  }
}
