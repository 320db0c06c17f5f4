import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Log,
  type Mailhost,
  definePlugin,
  encodeBase64,
  last,
  mailhost,
  nobody,
  type MailhostOptions,
} from "@mailhost/core";
import { MemoryWire } from "@mailhost/testkit";
import { hashPassword } from "../src/index.ts";

/** Cheap on purpose: tests need no safety. */
export const cheap = { ln: 4, r: 8, p: 1 };

export const makeFolder = (): Promise<string> => mkdtemp(join(tmpdir(), "mailhost-auth-plain-"));

/** A password file for the pairs given. */
export async function makeUsers(folder: string, passwords: Readonly<Record<string, string>>): Promise<string> {
  const path = join(folder, "users");
  const lines = await Promise.all(
    Object.entries(passwords).map(async ([name, password]) => `${name}:${await hashPassword(password, cheap)}\n`),
  );
  await writeFile(path, lines.join(""), { mode: 0o600 });
  return path;
}

/** A PLAIN message in base64; `\0` between its parts. */
export const plain = (text: string): string => encodeBase64(new TextEncoder().encode(text));

/** TLS that the test kit's wire plays: from the first octet, or behind a STARTTLS of its own. */
export const fakeTls = definePlugin<{ readonly implicit: boolean }>({
  name: "fake-tls",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host, { implicit }) {
    const upgrade = { upgrade: "fake" };
    if (implicit) return host.extend({ preamble: { kind: "upgrade", upgrade } });
    const reply = { code: 220, status: "2.0.0", text: "Go ahead" } as const;
    host.extend({
      verbs: {
        STARTTLS: last(
          ["ready"],
          () => ({ value: undefined }),
          nobody,
          () => ({ go: "upgrade", reply, upgrade }),
        ),
      },
    });
  },
});

/** A log that remembers messages and fields. */
export function makeLog(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push(
      `${level}: ${message} ${JSON.stringify(fields, (_key, value: unknown) => (value instanceof Error ? `${value.stack}` : value))}`,
    );
  return { log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") }, lines };
}

/** A dialogue led by hand, for tests that move the clock or hold several at once. */
export class Dialogue {
  readonly wire = new MemoryWire();
  readonly #engine: ReturnType<Mailhost["dialogue"]>;
  #heard = 0;
  static readonly #open = new Set<Dialogue>();

  constructor(server: Mailhost, address = "192.0.2.1") {
    this.#engine = server.dialogue(this.wire, {
      peer: { client: { address, port: 40000 }, local: { address: "192.0.2.25", port: 25 } },
    });
    this.wire.attach(this.#engine);
    this.#engine.start();
    Dialogue.#open.add(this);
  }

  /** Ends every dialogue: a server does not close while one is held. */
  static endAll(): void {
    for (const dialogue of Dialogue.#open) dialogue.#engine.gone("disconnected");
    Dialogue.#open.clear();
  }

  send(line: string): void {
    this.#engine.receive(new TextEncoder().encode(`${line}\r\n`));
  }

  /** The next line. */
  async line(): Promise<string> {
    while (this.wire.lines.length <= this.#heard && !this.wire.ended) await this.wire.changed(1000);
    this.#heard += 1;
    return this.wire.lines[this.#heard - 1] ?? "<close>";
  }

  /** Greets with HELO and gives the line AUTH answers. */
  async auth(message: string): Promise<string> {
    this.send("HELO client.test");
    while (!(await this.line()).startsWith("250 "));
    this.send(`AUTH PLAIN ${plain(message)}`);
    return this.line();
  }
}

/** A promise and the call that fulfils it. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: ((value: T) => void) | undefined;
  const promise = new Promise<T>((call) => (resolve = call));
  return { promise, resolve: (value) => resolve?.(value) };
}

const servers: Mailhost[] = [];

export async function closeAll(): Promise<void> {
  Dialogue.endAll();
  await Promise.all(servers.splice(0).map((server) => server.close()));
}

export async function serve(options: MailhostOptions): Promise<Mailhost> {
  const server = mailhost({ name: "mx.example.com", log: makeLog().log, ...options });
  servers.push(server);
  return server.prepare();
}
