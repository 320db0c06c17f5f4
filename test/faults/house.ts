import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import * as promises from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Mailhost, type Plugin, definePlugin, mailhost } from "@mailhost/core";
import { type MaildirOptions, mailboxPath } from "@mailhost/plugin-maildir";
import { Client, TestClock } from "@mailhost/testkit";
import { maildirOn } from "../../plugins/maildir/src/maildir.ts";
import { quietLog } from "../support/dialogue.ts";
import { unwatched } from "./file-calls.ts";

/** All of it in this thread, where its calls are met. */
const maildir = maildirOn(promises);

/** A delivery whose system calls are looked at. */
export interface Scenario {
  readonly name: string;
  readonly recipients: readonly string[];
  readonly options: Omit<MaildirOptions, "root">;
  /** The mailboxes hold a message already. */
  readonly warm: boolean;
  /** And they were looked at so long ago that each folder on the way is looked at again. */
  readonly forgotten?: boolean;
  /** Lines of the message, 80 octets each. */
  readonly lines: number;
  /** One in so many pairs of a call and a fault is tried, unless all are. */
  readonly oneIn: number;
  /** Calls it makes at least. */
  readonly calls: number;
  /** The spool file is one that was used before. */
  readonly again?: true;
  /** Where mail is stored, below the house, made by the first delivery; `mail`, which is there, unless told otherwise. */
  readonly root?: string;
}

const boxes = ["jane@example.com", "john+list@example.com", "zoe@example.net"];
const everything = { quota: { octets: 100_000_000 }, fileMode: 0o640, folderMode: 0o750 };

/** A body that is more than one block of the spool file, and one that is just more than the server keeps in memory. */
const [blocks, block] = [3500, 30];

/** Between them they make every call a delivery can make. */
export const scenarios: readonly Scenario[] = [
  { name: "one recipient", recipients: boxes.slice(0, 1), options: {}, warm: true, lines: blocks, oneIn: 1, calls: 18 },
  {
    name: "one recipient, a spool file that is used again",
    recipients: boxes.slice(0, 1),
    options: {},
    warm: true,
    again: true,
    lines: blocks,
    oneIn: 1,
    calls: 15,
  },
  {
    name: "one new recipient, every option",
    recipients: boxes.slice(1, 2),
    options: everything,
    warm: false,
    lines: block,
    oneIn: 4,
    calls: 90,
  },
  {
    name: "one mailbox made by hand",
    recipients: boxes.slice(0, 1),
    options: { create: false },
    warm: true,
    forgotten: true,
    lines: block,
    oneIn: 1,
    calls: 21,
  },
  { name: "three recipients", recipients: boxes, options: {}, warm: true, lines: block, oneIn: 9, calls: 34 },
  { name: "three new recipients", recipients: boxes, options: {}, warm: false, lines: block, oneIn: 12, calls: 150 },
  {
    name: "one recipient, journal",
    recipients: boxes.slice(0, 1),
    options: { journal: true },
    warm: true,
    lines: block,
    oneIn: 1,
    calls: 12,
  },
  {
    name: "one new recipient, every option, journal",
    recipients: boxes.slice(1, 2),
    options: { ...everything, journal: true },
    warm: false,
    lines: block,
    oneIn: 4,
    calls: 100,
  },
  {
    name: "three recipients, journal",
    recipients: boxes,
    options: { journal: true },
    warm: true,
    lines: block,
    oneIn: 9,
    calls: 20,
  },
  {
    name: "three new recipients, journal",
    recipients: boxes,
    options: { journal: true },
    warm: false,
    lines: block,
    oneIn: 12,
    calls: 150,
  },
];

/** A call of the journal's. */
export const inJournal = ({ path }: { path: string }): boolean => path.includes("/.mailhost-journal");

/** Somebody else, whose mailbox may be there already. */
export const neighbour = "neighbour@example.org";

const everybody = (): Plugin =>
  definePlugin({
    name: "everybody",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (host) =>
      host.hooks.rcpt.tap("everybody", (recipient) => {
        recipient.permit("local");
        recipient.routeTo({ transport: "maildir" });
      }),
  })();

/** A message of so many lines, which knows itself how many there are. */
export const letter = (subject: string, lines: number): string =>
  `Subject: ${subject} ${lines}\r\n\r\n${`${"x".repeat(78)}\r\n`.repeat(lines)}`;

/** A server that stores below a folder of its own, and one client of it. */
export class House {
  readonly root: string;
  readonly clock = new TestClock(Date.now()); // the sweep takes what is older than this process for nobody's
  readonly scenario: Scenario;
  readonly server: Mailhost;
  readonly #folder: string;

  /** Stands in a new folder below, unless told which. */
  constructor(below: string, scenario: Scenario, delivery = 300_000, own = mkdtempSync(join(below, "house-"))) {
    this.scenario = scenario;
    this.#folder = own;
    const { options, recipients, root } = scenario;
    this.root = join(this.#folder, root ?? "mail");
    const spool = join(this.#folder, "spool");
    for (const folder of root === undefined ? [this.root, spool] : [spool]) mkdirSync(folder, { recursive: true });
    if (options.create === false)
      for (const recipient of [...recipients, neighbour])
        mkdirSync(mailboxPath(this.root, recipient), { recursive: true });
    this.server = mailhost({
      name: "mx.example.com",
      plugins: [everybody(), maildir({ ...options, root: this.root })],
      log: quietLog,
      spool,
      limits: { messageMemoryOctets: 1024 },
      timeouts: { delivery },
      clock: this.clock,
    });
  }

  /** Comes when the server is up, and the scenario's mailboxes are as it says. */
  async open(): Promise<void> {
    await unwatched.run(true, () => this.server.prepare()); // and the sweep it begins
    if (!this.scenario.warm) return;
    const reply = await this.handIn("before");
    if (!reply.startsWith("250")) throw new Error(`the house is not in order: ${reply}`);
    this.#forget();
  }

  #forget(): void {
    if (this.scenario.forgotten === true) this.clock.advance(10_000);
  }

  async greeted(): Promise<Client> {
    const client = new Client(this.server, { patience: 10_000 }, async () => {});
    await client.reply();
    await client.ask("EHLO client.test");
    return client;
  }

  /** The reply to one message with that subject. */
  async handIn(subject: string, to = this.scenario.recipients): Promise<string> {
    const client = await this.greeted();
    const reply = await client.deliver({ to, text: letter(subject, this.scenario.lines) });
    await client.close();
    return reply.join(" | ");
  }

  /** Subjects of the messages each recipient's reader sees, sorted; `torn` for what is not whole. */
  seen(): Map<string, string[]> {
    return new Map(this.scenario.recipients.map((one) => [one, subjectsIn(join(mailboxPath(this.root, one), "new"))]));
  }

  /** Files below the folders of the server that are not in `new`, with the spool's. What a journal holds is not visible. */
  get leftovers(): string[] {
    return readdirSync(this.#folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== "maildirfolder" && !entry.parentPath.endsWith("/new"))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => !inJournal({ path }));
  }

  /** Puts everything back to what it was, for a scenario whose mailboxes are there. */
  tidy(): void {
    for (const left of this.leftovers) rmSync(left);
    for (const recipient of this.scenario.recipients) {
      const folder = join(mailboxPath(this.root, recipient), "new");
      for (const path of readdirSync(folder).map((name) => join(folder, name)))
        if (subjectOf(readFileSync(path, "latin1")) !== "before") rmSync(path);
    }
    this.#forget();
  }

  async close(): Promise<void> {
    await this.server.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Files of all journals below a folder, which stay open. */
export const journalFiles = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && inJournal({ path: entry.parentPath }),
  ).length;

export function subjectsIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((name) => subjectOf(readFileSync(join(folder, name), "latin1")))
    .toSorted();
}

/** The subject of a message that is whole, else `torn`. */
export function subjectOf(text: string): string {
  const [, subject = "", lines] = /^Subject: (\w+) (\d+)$/m.exec(text) ?? [];
  const whole = letter(subject, Number(lines)).replaceAll("\r\n", "\n");
  return text.slice(text.indexOf("Subject: ")) === whole ? subject : "torn";
}

/** Faults are made, not waited for: a disk would add nothing but its time, a third of these tests. */
const memory = "/dev/shm";

/** A folder all houses of a test file stand in. */
export const emptyStreet = (): string => mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), "mailhost-faults-"));
