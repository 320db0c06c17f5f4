import { type ChildProcess, fork } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Read from one client while replies to it are unsent: one read. */
export const mostReadWhileUnsent = 64 * 1024;

export type Question = "how" | "collect";

/** How a server is: octets, but for `lines`, its log lines. */
export interface Answer {
  readonly port: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
  readonly lines: number;
  /** Read from one client while replies to it were unsent, at most. */
  readonly readWhileUnsent: number;
}

/** Starts one of this folder's programs, straight from its source. */
export const start = (program: string, args: readonly string[]): ChildProcess =>
  fork(join(import.meta.dirname, program), args, {
    execArgv: ["-C", "@mailhost/source", "--import", "tsx", "--expose-gc"],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });

/** The next message of a child. Rejects when it ends instead. */
export const hear = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`${child.spawnargs.at(-2)} ended with ${code}`));
    child.once("exit", ended);
    child.once("message", (message) => {
      child.off("exit", ended);
      resolve(message as T); // programs of this folder say what their parent expects
    });
  });

/** Ends once nobody listens to it any more. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.disconnect();
  await ended;
}

/** A server in a process of its own. Its memory is what the operating system says: Linux only. */
export class Served {
  readonly port: number;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(connections: number): Promise<Served> {
    const child = start("server.ts", [String(connections)]);
    const { port } = await hear<Answer>(child);
    return new Served(child, port);
  }

  ask(question: Question): Promise<Answer> {
    this.#child.send(question);
    return hear<Answer>(this.#child);
  }

  /** Resident octets now. */
  get resident(): number {
    return this.#status("VmRSS");
  }

  /** The most since `forgetPeak`. */
  get peak(): number {
    return this.#status("VmHWM");
  }

  forgetPeak(): void {
    writeFileSync(`/proc/${this.#child.pid}/clear_refs`, "5");
  }

  #status(field: string): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1]) * 1024;
  }

  close(): Promise<void> {
    return end(this.#child);
  }
}
