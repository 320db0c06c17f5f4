import { readFileSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Log, type MailhostOptions, type Plugin, mailhost } from "@mailhost/core";
import { MemoryWire } from "@mailhost/testkit";
import { onTestFinished } from "vitest";
import { type MaildirOptions, maildir } from "../src/index.ts";
import { everybody } from "./everybody.ts";

export { everybody };

export const quietLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Options of a server that stores everything with the plugin. */
export const storing = (options: MaildirOptions, make: (options: MaildirOptions) => Plugin = maildir) => ({
  plugins: [everybody(), make(options)],
  log: quietLog,
});

/** An empty folder that is gone after the test. */
export async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mailhost-maildir-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Paths of all files below a folder, relative to it, sorted. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

/** Contents of the messages in `new` of a mailbox, one character per octet. */
export function stored(mailbox: string): string[] {
  const folder = join(mailbox, "new");
  return readdirSync(folder).map((name) => readFileSync(join(folder, name), "latin1"));
}

/** One dialogue in memory: hands in a message and gives the last reply. */
export class Client {
  readonly #wire = new MemoryWire();
  readonly #engine;

  constructor(server: ReturnType<typeof mailhost>) {
    const local = { address: "192.0.2.25", port: 25 };
    this.#engine = server.dialogue(this.#wire, { peer: { client: { address: "192.0.2.1", port: 40000 }, local } });
    this.#wire.attach(this.#engine);
    this.#engine.start();
  }

  /** Sends one line and gives the reply to it. */
  async say(line: string): Promise<string> {
    const heard = this.#wire.lines.length;
    this.#engine.receive(Buffer.from(`${line}\r\n`));
    while (!this.#wire.lines.slice(heard).some((one) => one[3] === " ")) await this.#wire.changed(1000);
    return this.#wire.lines.at(-1) ?? "";
  }

  async greet(): Promise<this> {
    while (this.#wire.lines.length === 0) await this.#wire.changed(1000);
    await this.say("EHLO client.test");
    return this;
  }

  /** `body` with CRLF line ends, without the final dot. Gives the reply to the body, or the first refusal. */
  async deliver(recipients: readonly string[], body: string): Promise<string> {
    await this.say("MAIL FROM:<sender@example.com>");
    for (const recipient of recipients) {
      const reply = await this.say(`RCPT TO:<${recipient}>`);
      if (!reply.startsWith("250")) return reply;
    }
    await this.say("DATA");
    return this.say(`${body}\r\n.`);
  }

  leave(): void {
    this.#engine.gone("end of the test");
  }
}

/** A server that is closed after the test. */
export async function serve(options: MailhostOptions): Promise<ReturnType<typeof mailhost>> {
  const server = mailhost({ name: "mx.example.com", ...options });
  onTestFinished(() => server.close());
  await server.prepare();
  return server;
}
