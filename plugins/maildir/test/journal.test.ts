import { spawnSync } from "node:child_process";
import {
  chownSync,
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import * as promises from "node:fs/promises";
import { basename, join } from "node:path";
import { TestClock } from "@mailhost/testkit";
import { expect, test } from "vitest";
import type { Files } from "../src/files.ts";
import { type MaildirOptions, mailboxPath } from "../src/index.ts";
import { recordsIn } from "../src/journal/reading.ts";
import { kinds } from "../src/journal/record.ts";
import { segmentStart } from "../src/journal/segment.ts";
import { maildirOn } from "../src/maildir.ts";
import { Client, emptyFolder, filesBelow, quietLog, serve, stored, storing } from "./server.ts";

const jane = "jane@example.com";
/** A thread that reads TypeScript takes its time to start. */
const soon = { timeout: 10_000 };
const letter = (subject: string): string => `Subject: ${subject}\r\n\r\nHello ${subject}.`;
const systemError = (code: string): Error => Object.assign(new Error(`${code}: on purpose`), { code });

const subjectsOf = (root: string, address = jane, folder = "new"): string[] => {
  const path = join(mailboxPath(root, address), folder);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .map((name) => /^Subject: (.*)$/m.exec(readFileSync(join(path, name), "latin1"))?.[1] ?? "torn")
    .toSorted();
};

const journalsOf = (root: string): string[] => {
  const path = join(root, ".mailhost-journal");
  return existsSync(path) ? readdirSync(path) : [];
};

const segmentsOf = (root: string): string[] =>
  filesBelow(join(root, ".mailhost-journal")).map((path) => join(root, ".mailhost-journal", path));

/** What a kill would leave: the folders as they are, without the process. */
async function afterKill(root: string): Promise<string> {
  const copy = join(await emptyFolder(), "mail");
  cpSync(root, copy, { recursive: true });
  return copy;
}

const isCopy = (path: unknown): boolean => /\/tmp\/\d+\.M/.test(String(path));

/** A file system on which mail that was acknowledged is not put out before `goOn`, as if the kill came first. */
function holding(): { files: Files; goOn: () => void } {
  let goOn = (): void => {};
  const held = new Promise<void>((resolve) => (goOn = resolve));
  const open: Files["open"] = async (path, ...rest) => {
    if (isCopy(path)) await held;
    return promises.open(path, ...rest);
  };
  return { files: { ...promises, open }, goOn };
}

/** Hands in messages and gives what a kill would leave before one of them is put out. */
async function killedBefore(subjects: readonly string[], options: Partial<MaildirOptions> = {}): Promise<string> {
  const root = await emptyFolder();
  const { files, goOn } = holding();
  const server = await serve(storing({ root, journal: true, ...options }, maildirOn(files)));
  const client = await new Client(server).greet();
  for (const subject of subjects) expect(await client.deliver([jane], letter(subject))).toMatch(/^250 /);
  client.leave();
  expect(subjectsOf(root)).toEqual([]);
  const left = await afterKill(root);
  goOn();
  await server.close();
  expect(subjectsOf(root)).toEqual([...subjects].toSorted());
  return left;
}

const restarted = (root: string, options: Partial<MaildirOptions> = {}, log = quietLog) =>
  serve({ ...storing({ root, ...options }), log });

test("copies follow the 250, each recipient's own; at the end nothing but them is left", async () => {
  const root = await emptyFolder();
  const server = await serve(storing({ root, journal: true, fileMode: "640" }));
  const client = await new Client(server).greet();
  expect(await client.deliver([jane, "john+shop@example.com"], letter("one"))).toMatch(/^250 /);
  expect(await client.deliver([jane], letter("two"))).toMatch(/^250 /);
  client.leave();
  await expect.poll(() => subjectsOf(root), soon).toEqual(["one", "two"]);
  const [first] = stored(mailboxPath(root, "john+shop@example.com"));
  expect(first).toMatch(/^Return-Path: <sender@example\.com>\nDelivered-To: john\+shop@example\.com\nReceived: /);
  expect(first).toMatch(/\nSubject: one\n\nHello one\.\n$/);
  expect(journalsOf(root)).toHaveLength(1);
  await server.close();
  expect(readdirSync(root)).toEqual(["example.com"]);
  for (const path of filesBelow(root).filter((one) => !one.endsWith("maildirfolder"))) {
    expect(path).toMatch(/\/new\/.*,S=\d+$/);
    const { size, mode } = await promises.stat(join(root, path));
    expect(path).toMatch(new RegExp(`,S=${size}$`));
    expect((mode & 0o777).toString(8)).toBe("640");
  }
});

test.each([true, false])(
  "what was acknowledged and not put out is there before the next server answers, journal %s",
  async (journal) => {
    const root = await killedBefore(["one", "two"]);
    expect(subjectsOf(root)).toEqual([]);
    await restarted(root, { journal });
    expect(subjectsOf(root)).toEqual(["one", "two"]);
    expect(journalsOf(root)).toEqual([]);
    await restarted(root);
    expect(subjectsOf(root)).toEqual(["one", "two"]);
  },
);

test("each message once: read, flagged, deleted or not", async () => {
  const root = await emptyFolder();
  const server = await serve(storing({ root, journal: true }));
  const client = await new Client(server).greet();
  for (const subject of ["deleted", "flagged", "fresh"]) await client.deliver([jane], letter(subject));
  client.leave();
  await expect.poll(() => subjectsOf(root), soon).toEqual(["deleted", "flagged", "fresh"]);
  await expect.poll(() => marksIn(root), soon).toBe(3);
  const mailbox = mailboxPath(root, jane);
  for (const name of readdirSync(join(mailbox, "new"))) {
    const path = join(mailbox, "new", name);
    const text = readFileSync(path, "latin1");
    if (text.includes("Hello deleted")) rmSync(path);
    if (text.includes("Hello flagged")) renameSync(path, join(mailbox, "cur", `${name}:2,FS`));
  }
  const left = await afterKill(root);
  await restarted(left);
  expect([subjectsOf(left), subjectsOf(left, jane, "cur")]).toEqual([["fresh"], ["flagged"]]);
  expect(journalsOf(left)).toEqual([]);
});

/** Messages that the journal says were put out. */
const marksIn = (root: string): number =>
  segmentsOf(root)
    .flatMap((path) => recordsIn(readFileSync(path)).records)
    .filter(({ kind }) => kind === kinds.shown)
    .reduce((sum, { entries }) => sum + entries.length, 0);

test("twenty at once share the waits for the disk", async () => {
  const root = await emptyFolder();
  const { files, calls } = counting();
  const server = await serve(storing({ root, journal: true }, maildirOn(files)));
  const clients = await Promise.all(Array.from({ length: 20 }, () => new Client(server).greet()));
  expect(await clients[0]?.deliver([jane], letter("first"))).toMatch(/^250 /); // makes all there is to make
  await expect.poll(() => subjectsOf(root), soon).toEqual(["first"]);
  calls.clear();
  const replies = await Promise.all(clients.map((client, number) => client.deliver([jane], letter(`${number}`))));
  expect(new Set(replies.map((reply) => reply.slice(0, 4)))).toEqual(new Set(["250 "]));
  expect(calls.get("datasync")).toBeLessThan(20);
  expect(calls.get("sync")).toBeUndefined();
  for (const client of clients) client.leave();
  await server.close();
  expect(subjectsOf(root)).toHaveLength(21);
  expect(calls.get("sync")).toBeGreaterThanOrEqual(21); // each file, before the log goes
});

/** The real file system, and how often open files were synced. */
function counting(): { files: Files; calls: Map<string, number> } {
  const calls = new Map<string, number>();
  const open: Files["open"] = async (...args) => {
    const file = await promises.open(...args);
    for (const name of ["sync", "datasync"] as const) {
      const real = file[name].bind(file);
      file[name] = () => {
        calls.set(name, (calls.get(name) ?? 0) + 1);
        return real();
      };
    }
    return file;
  };
  return { files: { ...promises, open }, calls };
}

/** Gives the segment of a journal other octets. */
function damage(root: string, change: (octets: Buffer) => void): void {
  const [path = ""] = segmentsOf(root);
  const octets = readFileSync(path);
  change(octets);
  writeFileSync(path, octets);
}

function listening(): { log: typeof quietLog; lines: string[] } {
  const lines: string[] = [];
  const say =
    (level: string) =>
    (_fields: object, message: string): void =>
      void lines.push(`${level} ${message}`);
  return { log: { debug() {}, info: say("info"), warn: say("warn"), error: say("error") }, lines };
}

test("a torn end is nothing that was acknowledged", async () => {
  const root = await killedBefore(["one", "two"]);
  damage(root, (octets) => {
    const at = recordsIn(octets).records.at(-1)?.at ?? 0;
    octets.fill(0, at + 50, at + 60);
  });
  const { log, lines } = listening();
  await restarted(root, {}, log);
  expect(subjectsOf(root)).toEqual(["one"]);
  expect(lines).toEqual(["info mail that a killed server had acknowledged is put out from its journal"]);
  expect(journalsOf(root)).toEqual([]);
});

test.each([
  { what: "a message", at: segmentStart + 100, rest: ["three", "two"] },
  { what: "the head", at: 10, rest: ["one", "three", "two"] },
])("when $what on the disk is broken, the others are put out and the journal is kept", async ({ at, rest }) => {
  const root = await killedBefore(["one", "two", "three"]);
  damage(root, (octets) => void octets.writeUInt8(octets.readUInt8(at) ^ 1, at));
  const { log, lines } = listening();
  await restarted(root, {}, log);
  expect(subjectsOf(root)).toEqual(rest);
  expect(lines).toContain("error a journal is broken: what could be read of it is put out, and it is kept");
  expect(journalsOf(root)).toEqual([expect.stringMatching(/\.broken$/)]);
  const again = listening();
  await restarted(root, {}, again.log);
  expect(again.lines).toEqual(["warn a journal that was broken is kept here: see docs/operate.md"]);
  expect(subjectsOf(root)).toEqual(rest);
});

test("two servers on one root have a journal each, and neither takes the other's", async () => {
  const root = await emptyFolder();
  const servers = [await serve(storing({ root, journal: true })), await serve(storing({ root, journal: true }))];
  for (const [number, server] of servers.entries()) {
    const client = await new Client(server).greet();
    expect(await client.deliver([jane], letter(`${number}`))).toMatch(/^250 /);
    client.leave();
  }
  expect(journalsOf(root)).toHaveLength(2);
  for (const server of servers) await server.close();
  expect(subjectsOf(root)).toEqual(["0", "1"]);
  expect(readdirSync(root)).toEqual(["example.com"]);
});

test("a journal of elsewhere is listened to: a living owner keeps it, a dead one's is put out", async () => {
  const root = await killedBefore(["one"]);
  const [name = ""] = journalsOf(root);
  const path = join(root, ".mailhost-journal", name.replace(/B[0-9a-f]*R/, "B0123R"));
  renameSync(join(root, ".mailhost-journal", name), path);
  let beats = 0;
  const beat = setInterval(() => utimesSync(path, (beats += 1), beats), 500);
  await restarted(root);
  clearInterval(beat);
  expect(subjectsOf(root)).toEqual([]);
  await restarted(root);
  expect(subjectsOf(root)).toEqual(["one"]);
}, 30_000);

test("the journal of a process that is no more, and of one whose number another has now", async () => {
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  for (const pid of [dead, process.ppid]) {
    const root = await killedBefore(["one"]);
    const [name = ""] = journalsOf(root);
    const folder = join(root, ".mailhost-journal");
    renameSync(join(folder, name), join(folder, name.replace(/^P\d+T\d+/, `P${pid}T1`)));
    await restarted(root);
    expect(subjectsOf(root)).toEqual(["one"]);
  }
});

test.runIf(process.getuid?.() === 0)("a journal of another user's is an error of the configuration", async () => {
  const root = await killedBefore(["one"]);
  const [name = ""] = journalsOf(root);
  chownSync(join(root, ".mailhost-journal", name), 12_345, 12_345);
  await expect(restarted(root)).rejects.toThrow("holds mail that user 12345 acknowledged, and this is user 0");
});

test("a message that is large goes the way without", async () => {
  const root = await emptyFolder();
  const server = await serve(storing({ root, journal: true }));
  const client = await new Client(server).greet();
  expect(await client.deliver([jane], `${letter("large")}\r\n${`${"x".repeat(998)}\r\n`.repeat(300)}`)).toMatch(
    /^250 /,
  );
  client.leave();
  expect(subjectsOf(root)).toEqual(["large"]);
  expect(journalsOf(root)).toEqual([]);
});

test("a quota counts what is acknowledged and not put out yet", async () => {
  const root = await emptyFolder();
  const { files, goOn } = holding();
  const server = await serve(storing({ root, journal: true, quota: { messages: 1 } }, maildirOn(files)));
  const client = await new Client(server).greet();
  expect(await client.deliver([jane], letter("one"))).toMatch(/^250 /);
  expect(await client.deliver([jane], letter("two"))).toMatch(/^452 4\.2\.2 /);
  goOn();
  await expect.poll(() => subjectsOf(root), soon).toEqual(["one"]);
  expect(await client.deliver([jane], letter("three"))).toMatch(/^452 4\.2\.2 /);
  client.leave();
});

test("what was refused because the disk did not take it does not come after a kill", async () => {
  const root = await emptyFolder();
  let syncs = 0;
  const open: Files["open"] = async (...args) => {
    const file = await promises.open(...args);
    const real = file.datasync.bind(file);
    file.datasync = () => ((syncs += 1) === 2 ? Promise.reject(systemError("EIO")) : real());
    return file;
  };
  const server = await serve(storing({ root, journal: true }, maildirOn({ ...promises, open })));
  const client = await new Client(server).greet();
  expect(await client.deliver([jane], letter("one"))).toMatch(/^250 /);
  expect(await client.deliver([jane], letter("two"))).toBe("451 4.3.0 Temporary local problem");
  expect(await client.deliver([jane], letter("three"))).toMatch(/^250 /);
  client.leave();
  await expect.poll(() => subjectsOf(root), soon).toEqual(["one", "three"]);
  const left = await afterKill(root);
  await restarted(left);
  expect(subjectsOf(left)).toEqual(["one", "three"]);
});

test("a segment is used again once its mail is durable; an fsync that fails writes the file anew", async () => {
  const root = await emptyFolder();
  const clock = new TestClock(Date.now());
  let syncs = 0;
  const open: Files["open"] = async (...args) => {
    const file = await promises.open(...args);
    const real = file.sync.bind(file);
    const isShown = /\/new\/./.test(args[0]);
    file.sync = () => (isShown && (syncs += 1) === 1 ? Promise.reject(systemError("EIO")) : real());
    return file;
  };
  const server = await serve({ ...storing({ root, journal: true }, maildirOn({ ...promises, open })), clock });
  const client = await new Client(server).greet();
  for (const subject of ["one", "two"]) expect(await client.deliver([jane], letter(subject))).toMatch(/^250 /);
  await expect.poll(() => marksIn(root), soon).toBe(2);
  const before = inodes(root);
  clock.advance(39_000);
  expect(marksIn(root)).toBe(2);
  clock.advance(2000);
  await expect.poll(() => marksIn(root), soon).toBe(0);
  expect(subjectsOf(root)).toEqual(["one", "two"]);
  expect(inodes(root).filter((inode) => before.includes(inode))).toHaveLength(1);
  expect(await client.deliver([jane], letter("three"))).toMatch(/^250 /);
  client.leave();
  expect(segmentsOf(root)).toHaveLength(1);
  await server.close();
  expect(subjectsOf(root)).toEqual(["one", "three", "two"]);
});

const numbersOf = (root: string): string[] =>
  segmentsOf(root)
    .map((path) => basename(path))
    .toSorted();

/** A fifth of a mebibyte: a segment takes less than forty. */
const long = (subject: string): string => `${letter(subject)}\r\n${`${"x".repeat(78)}\r\n`.repeat(2500)}`;

/** Takes long messages, fifteen at a time: less than half of a segment. `making` is called for each segment by its name. */
async function longMail(making: (name: string) => Promise<void>) {
  const root = await emptyFolder();
  const clock = new TestClock(Date.now());
  const asked: string[] = [];
  const open: Files["open"] = async (...args) => {
    if (args[0].endsWith(".log")) {
      asked.push(basename(args[0]));
      await making(basename(args[0]));
    }
    return promises.open(...args);
  };
  const server = await serve({ ...storing({ root, journal: true }, maildirOn({ ...promises, open })), clock });
  const client = await new Client(server).greet();
  const subjects: string[] = [];
  const take = async (count = 15): Promise<void> => {
    for (let at = 0; at < count; at += 1) {
      subjects.push(`s${subjects.length}`);
      expect(await client.deliver([jane], long(`s${subjects.length - 1}`))).toMatch(/^250 /);
    }
  };
  const end = async (): Promise<void> => {
    client.leave();
    const left = await afterKill(root);
    await restarted(left);
    expect(subjectsOf(left)).toEqual(subjects.toSorted());
    await server.close();
    expect(subjectsOf(root)).toEqual(subjects.toSorted());
    expect(journalsOf(root)).toEqual([]);
  };
  return { root, clock, asked, take, end };
}

test("nobody waits for the next segment while it is being made", async () => {
  let goOn = (): void => {};
  const held = new Promise<void>((resolve) => (goOn = resolve));
  const { root, asked, take, end } = await longMail(async (name) => (name === "2.log" ? held : undefined));
  await take();
  expect(asked).toEqual(["1.log"]);
  await take();
  expect(asked).toEqual(["1.log", "2.log"]);
  goOn();
  await take();
  expect(numbersOf(root)).toEqual(["1.log", "2.log"]);
  await end();
});

test("a disk without room for the next segment is not filled with each message: they go the way without for a while", async () => {
  let full = false;
  const { root, clock, asked, take, end } = await longMail(async () => {
    if (full) throw systemError("ENOSPC");
  });
  await take();
  full = true;
  await take(45);
  expect(asked).toEqual(["1.log", "2.log"]);
  full = false;
  clock.advance(11_000);
  await take(30);
  expect(asked).toEqual(["1.log", "2.log", "3.log"]);
  expect(numbersOf(root)).toEqual(["1.log", "3.log"]);
  await end();
});

function inodes(root: string): number[] {
  const folder = join(mailboxPath(root, jane), "new");
  return readdirSync(folder).map((name) => statSync(join(folder, name)).ino);
}

test("a mailbox that is removed meanwhile is made anew for what was acknowledged", async () => {
  const root = await emptyFolder();
  const { files, goOn } = holding();
  const server = await serve(storing({ root, journal: true }, maildirOn(files)));
  const client = await new Client(server).greet();
  expect(await client.deliver([jane], letter("one"))).toMatch(/^250 /);
  rmSync(mailboxPath(root, jane), { recursive: true });
  goOn();
  client.leave();
  await expect.poll(() => subjectsOf(root), soon).toEqual(["one"]);
});

test("a mailbox of which a part is removed meanwhile is whole again for what was acknowledged", async () => {
  const root = await emptyFolder();
  const { files, goOn } = holding();
  const server = await serve(storing({ root, journal: true }, maildirOn(files)));
  const client = await new Client(server).greet();
  expect(await client.deliver([jane], letter("one"))).toMatch(/^250 /);
  rmSync(join(mailboxPath(root, jane), "new"), { recursive: true });
  goOn();
  client.leave();
  await expect.poll(() => subjectsOf(root), soon).toEqual(["one"]);
});

test("a reload leaves nothing of the old journal, whatever it changes", async () => {
  const root = await emptyFolder();
  const server = await serve(storing({ root, journal: true }));
  const client = await new Client(server).greet();
  expect(await client.deliver([jane], letter("one"))).toMatch(/^250 /);
  await server.reload({ name: "mx.example.com", ...storing({ root, journal: true, quota: { messages: 9 } }) });
  const second = await new Client(server).greet();
  expect(await second.deliver([jane], letter("two"))).toMatch(/^250 /);
  expect(await client.deliver([jane], letter("three"))).toMatch(/^250 /);
  for (const one of [client, second]) one.leave();
  await expect.poll(() => journalsOf(root), soon).toHaveLength(1);
  await server.close();
  expect(subjectsOf(root)).toEqual(["one", "three", "two"]);
  expect(readdirSync(root)).toEqual(["example.com"]);
});

test.each(["new", "cur"])(
  "after a power cut a file in %s that is there and not whole is written anew",
  async (part) => {
    const root = await emptyFolder();
    const server = await serve(storing({ root, journal: true }));
    const client = await new Client(server).greet();
    for (const subject of ["whole", "torn"]) await client.deliver([jane], letter(subject));
    client.leave();
    await expect.poll(() => marksIn(root), soon).toBe(2);
    const left = await afterKill(root);
    const mailbox = mailboxPath(left, jane);
    for (const name of readdirSync(join(mailbox, "new"))) {
      const path = join(mailbox, "new", name);
      const text = readFileSync(path, "latin1");
      if (text.includes("Hello torn")) writeFileSync(path, "\0".repeat(text.length)); // its size came before its octets
      renameSync(path, join(mailbox, part, part === "cur" ? `${name}:2,S` : name));
    }
    // Another run of the system, which had marked both as put out
    const [name = ""] = journalsOf(left);
    const folder = join(left, ".mailhost-journal");
    renameSync(join(folder, name), join(folder, name.replace(/B[0-9a-f]*R/, "B0123R")));
    await restarted(left);
    expect(subjectsOf(left, jane, part)).toEqual(["torn", "whole"]);
    expect(filesBelow(left)).toHaveLength(2);
  },
  30_000,
);
