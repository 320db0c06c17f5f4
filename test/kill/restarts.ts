import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, type Form, type Greeted, serverFolder } from "../support/command.ts";
import { RawClient } from "./client.ts";

interface Store {
  readonly form: Form;
  readonly mailboxes: number;
  /** Files of a process that is no more, in `tmp` folders. */
  readonly leftovers: number;
  readonly times: number;
}

export interface Restarts {
  readonly mailboxes: number;
  readonly leftovers: number;
  readonly restarts: readonly Greeted[];
  /** Milliseconds from there to the 250 of a message. */
  readonly deliveries: readonly number[];
  /** Milliseconds from the last 220 until no leftover was there. */
  readonly swept: number;
}

const configuration = JSON.stringify({
  name: "mx.example.com",
  listeners: [{ host: "127.0.0.1", port: 0 }],
  plugins: [
    ["addressable", { domains: ["example.com"] }],
    ["maildir", { root: "mail" }],
  ],
  default: { local: "maildir" },
});

/** Kills and restarts a server over a store that takes long to sweep: nobody waits for the sweep. */
export async function restarts({ form, mailboxes, leftovers, times }: Store): Promise<Restarts> {
  const folder = serverFolder("restarts", { "mailhost.config.json": configuration });
  const [greeted, delivered]: [Greeted[], number[]] = [[], []];
  let swept = 0;
  try {
    fill(join(folder, "mail"), mailboxes, leftovers);
    for (let time = 0; time < times; time += 1) {
      const from = performance.now();
      const server = new Command(folder, { form });
      greeted.push(await server.greets(from));
      const then = performance.now();
      await deliver(server.ports[0] ?? 0);
      delivered.push(performance.now() - then);
      if (time + 1 === times) swept = await sweptAway(join(folder, "mail"), then);
      server.kill("SIGKILL");
      await server.ended;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { mailboxes, leftovers, restarts: greeted, deliveries: delivered, swept };
}

const tmpOf = (root: string, mailbox: number): string => join(root, "example.com", `u${mailbox}`, "tmp");

function fill(root: string, mailboxes: number, leftovers: number): void {
  for (let mailbox = 0; mailbox < mailboxes; mailbox += 1)
    for (const name of ["tmp", "new", "cur"]) mkdirSync(join(tmpOf(root, mailbox), "..", name), { recursive: true });
  // Half of them in one folder. Process 4194304 is one beyond the largest of Linux: nobody is it
  for (let file = 0; file < leftovers; file += 1)
    writeFileSync(join(tmpOf(root, file % 2 === 0 ? 0 : file % mailboxes), name(file)), "half a mess");
}

/** As maildir names files. */
const name = (file: number): string =>
  `${Math.floor(Date.now() / 1000)}.M1P4194304Q${file}R0123456789abcdef.${hostname()}`;

async function deliver(port: number): Promise<void> {
  const client = new RawClient(port);
  const done = (await client.greet()) && (await client.deliver(["u0@example.com"], "Subject: first\r\n\r\nhello\r\n"));
  client.leave();
  if (!done) throw new Error("the first message was not taken");
}

async function sweptAway(root: string, from: number): Promise<number> {
  const folders = readdirSync(join(root, "example.com")).map((mailbox) => join(root, "example.com", mailbox, "tmp"));
  const late = performance.now() + 300_000;
  while (folders.some((folder) => readdirSync(folder).length > 0)) {
    if (performance.now() > late) throw new Error("leftovers stay");
    await sleep(100);
  }
  return performance.now() - from;
}
