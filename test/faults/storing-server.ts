import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { SocketClient } from "../support/socket.ts";
import { letter } from "./house.ts";

const program = fileURLToPath(new URL("storing-program.ts", import.meta.url));

export interface Storing {
  /** A command that ends by running what is behind it, in the same process: `unshare -m`, `sh -c 'ulimit …; exec "$@"'`. */
  readonly prefix: readonly string[];
  readonly root: string;
  readonly spool: string;
  /** Octets of a message that are held in memory. */
  readonly memory: number;
}

/** A server in a process of its own, which ends with the test. */
export class StoringServer {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start({ prefix, root, spool, memory }: Storing): Promise<StoringServer> {
    const node = [process.execPath, "-C", "@mailhost/source", "--import", "tsx", program, root, spool, String(memory)];
    const [command = "", ...args] = [...prefix, ...node];
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    const died = once(child, "exit").then(() => Promise.reject(new Error("the server did not start")));
    const port = await Promise.race([once(child.stdout, "data"), died]).then(([line]) => Number(String(line)));
    died.catch(() => {}); // later that is a matter of the test: see `stands`
    return new StoringServer(child, port);
  }

  get #process(): string {
    return join("/proc", String(this.#child.pid));
  }

  /** It has neither ended nor been ended. */
  get stands(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** A path as the server sees it: what it mounted is mounted for nobody else. */
  sees(path: string): string {
    return join(this.#process, "root", path);
  }

  /** Descriptors in use. */
  get descriptors(): number {
    return readdirSync(join(this.#process, "fd")).length;
  }

  /** A client that was greeted; undefined when it was not let in. */
  async greet(): Promise<SocketClient | undefined> {
    const client = SocketClient.to(this.port);
    if (!(await client.reply()).startsWith("220 ")) return undefined;
    return (await client.ask("HELO client.test")).startsWith("250 ") ? client : undefined;
  }
}

export interface Letter {
  readonly subject: string;
  readonly to: readonly string[];
  /** Of 80 octets. */
  readonly lines: number;
}

/** Hands in a message: the reply to it, or to the command that was refused; "" when the server closed instead. */
export async function handIn(client: SocketClient, { subject, to, lines }: Letter): Promise<string> {
  const commands = ["MAIL FROM:<sender@example.com>", ...to.map((one) => `RCPT TO:<${one}>`), "DATA"];
  for (const command of commands) {
    const reply = await client.ask(command);
    if (/^[23]/.test(reply)) continue;
    if (reply !== "") await client.ask("RSET");
    return reply;
  }
  return client.ask(`${letter(subject, lines)}.`);
}

/** Paths of files below a folder, and of folders too when asked for. */
export function below(folder: string, { folders = false } = {}): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => folders || entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
