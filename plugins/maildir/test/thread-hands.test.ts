import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Log } from "@mailhost/core";
import { expect, onTestFinished, test } from "vitest";
import { maildir, mailboxPath } from "../src/index.ts";
import type { Hands } from "../src/journal/hands.ts";
import { type Target, bodyStart, finishMessage } from "../src/journal/record.ts";
import { ThreadHands } from "../src/journal/thread-hands.ts";
import { Client, emptyFolder, quietLog, serve, storing } from "./server.ts";

const target = (local: string, name = "one"): Target => ({
  steps: ["example.com", local],
  subfolder: undefined,
  name,
  top: `Delivered-To: ${local}\n`,
});

const record = (...targets: readonly Target[]): Buffer => {
  const memory = Buffer.from(new SharedArrayBuffer(4096));
  const body = memory.write("\nHello\n", bodyStart);
  return memory.subarray(0, finishMessage(memory, 1, { targets, mode: 0o600, body }));
};

/** Hands of which nothing is to be asked, or which say what was. */
const spare = (asked: string[] = []): Hands => ({
  put: async (records) => (asked.push(`put ${records.length}`), new Map()),
  settle: async (targets) => (asked.push(`settle ${targets.length}`), new Map()),
  close: async () => {},
});

function hands(root: string, own: Hands, complaints: unknown[], program?: URL): ThreadHands {
  const options = { root, create: true, folderMode: 0o700, fsync: true };
  const made = new ThreadHands(options, own, (error) => complaints.push(error), program);
  onTestFinished(() => made.close());
  return made;
}

test("the thread puts out messages and makes them durable", async () => {
  const root = await emptyFolder();
  const [asked, complaints]: [string[], unknown[]] = [[], []];
  const thread = hands(root, spare(asked), complaints);
  const both = [target("jane"), target("john", "two")];
  expect(await thread.put([record(...both), record(target("jane", "three"))])).toEqual(new Map());
  const jane = join(root, "example.com/jane");
  expect(readdirSync(join(jane, "new")).toSorted()).toEqual(["one", "three"]);
  expect(readdirSync(join(jane, "tmp"))).toEqual([]);
  expect(readFileSync(join(jane, "new/one"), "latin1")).toBe("Delivered-To: jane\n\nHello\n");
  // Read and deleted, a message needs nothing more
  expect(await thread.settle([...both, target("jane", "gone")])).toEqual(new Map());
  expect(asked).toEqual([]);
  expect(complaints).toEqual([]);
});

test("what fails is told with its code, and the others are out", async () => {
  const root = await emptyFolder();
  const complaints: unknown[] = [];
  mkdirSync(join(root, "example.com"));
  writeFileSync(join(root, "example.com/john"), "");
  const thread = hands(root, spare(), complaints);
  const failures = await thread.put([record(target("jane")), record(target("john")), record(target("zoe"))]);
  expect([...failures.keys()]).toEqual([1]);
  expect(failures.get(1)).toMatchObject({ code: "ENOTDIR" });
  expect(existsSync(join(root, "example.com/zoe/new/one"))).toBe(true);
  await expect(thread.settle([target("john")])).rejects.toMatchObject({ code: "ENOTDIR" });
  expect(complaints).toEqual([]);
});

test("when the thread ends, the work is done without it, what it had begun too", async () => {
  const root = await emptyFolder();
  const [asked, complaints]: [string[], unknown[]] = [[], []];
  const dying = 'import { parentPort } from "node:worker_threads"; parentPort.once("message", () => process.exit(3));';
  const thread = hands(root, spare(asked), complaints, new URL(`data:text/javascript,${encodeURIComponent(dying)}`));
  const jobs = [thread.put([record(target("jane"))]), thread.settle([target("jane")])];
  expect(await Promise.all(jobs)).toEqual([new Map(), new Map()]);
  expect(await thread.put([record(target("jane"))])).toEqual(new Map());
  expect(asked).toEqual(["put 1", "settle 1", "put 1"]);
  expect(complaints).toMatchObject([{ message: "it ended with 3" }]);
});

test("a thread that cannot be started is done without", async () => {
  const root = await emptyFolder();
  const [asked, complaints]: [string[], unknown[]] = [[], []];
  const thread = hands(root, spare(asked), complaints, new URL("data:text/javascript,throw new Error('no')"));
  expect(await thread.put([record(target("jane"))])).toEqual(new Map());
  expect(asked).toEqual(["put 1"]);
  expect(complaints).toMatchObject([{ message: "no" }]);
});

test("a server has a thread do it, and closes when all is out", async () => {
  const root = await emptyFolder();
  const errors: string[] = [];
  const log: Log = { ...quietLog, error: (_fields, message) => errors.push(message) };
  const server = await serve({ ...storing({ root, journal: true }, maildir), log });
  const clients = await Promise.all(Array.from({ length: 20 }, () => new Client(server).greet()));
  for (let round = 0; round < 5; round += 1)
    await Promise.all(clients.map((client) => client.deliver(["jane@example.com"], "Subject: one\r\n\r\nHello")));
  for (const client of clients) client.leave();
  await server.close();
  const names = readdirSync(join(mailboxPath(root, "jane@example.com"), "new"));
  expect(names).toHaveLength(100);
  expect(errors).toEqual([]);
  expect(readdirSync(root)).toEqual(["example.com"]);
});

/** Modules that one loads, by way of others too: the files of this plugin, and whatever else by its name. */
function loadedBy(file: URL, seen = new Set<string>()): Set<string> {
  seen.add(file.href);
  for (const [, name = ""] of readFileSync(file, "utf8").matchAll(/^import (?!type )[^;]*?from "([^"]+)";/gm))
    if (!name.startsWith(".")) seen.add(name);
    else if (!seen.has(new URL(name, file).href)) loadedBy(new URL(name, file), seen);
  return seen;
}

test("the thread loads nothing of core: it starts in half the time, and takes half the memory", () => {
  const loaded = loadedBy(new URL("../src/journal/thread.ts", import.meta.url));
  expect(loaded).toContain(new URL("../src/folders.ts", import.meta.url).href);
  expect([...loaded].filter((name) => name.startsWith("@"))).toEqual([]);
});

test("a thread the system does not give is done without", async () => {
  const root = await emptyFolder();
  const [asked, complaints]: [string[], unknown[]] = [[], []];
  const thread = hands(root, spare(asked), complaints, new URL("http://localhost/no.js")); // its making throws
  expect(await thread.put([record(target("jane"))])).toEqual(new Map());
  expect(await thread.settle([target("jane")])).toEqual(new Map());
  expect(asked).toEqual(["put 1", "settle 1"]);
  expect(complaints).toHaveLength(1);
});
