import cluster, { type Worker } from "node:cluster";
import { exitCodes } from "../exit.ts";
import { type Order, type Report, isReport, workerVariable } from "./messages.ts";

/** Milliseconds a worker gets to listen, or to answer a reload: plugins have time limits of their own, but not for `apply`. */
const patience = 120_000;

/** How a process came to its end, or why it never began. */
export interface Death {
  readonly code: number;
  readonly signal: string | undefined;
  /** What it said of it, for people. */
  readonly text: string | undefined;
}

/** What became of a worker that was started: its banner, or its death. */
export type Start = { readonly banner: string } | { readonly death: Death };

/** One worker process, as the primary knows it. */
export class Member {
  readonly pid: number;
  readonly startedAt = performance.now();
  readonly start: Promise<Start>;
  /** Resolves when the process is gone. */
  readonly gone: Promise<Death>;
  /** Resolves when it takes no new connections: it is gone, or about to be. */
  readonly leaves: Promise<void>;
  readonly #worker: Worker | undefined;
  #listens = false;
  #handed = false;
  #text: string | undefined;

  constructor() {
    const worker = this.#fork();
    this.#worker = worker;
    this.pid = worker?.process.pid ?? 0;
    this.gone = new Promise((resolve) => {
      const dead = (code: number | null, signal: string | null): void =>
        resolve({ code: code ?? exitCodes.runTime, signal: signal ?? undefined, text: this.#text });
      if (worker === undefined) return dead(null, null);
      worker.on("exit", (code, signal) => {
        if (!worker.isConnected()) return dead(code, signal);
        // Its last words may still be on their way. A channel that a socket went through keeps nobody waiting for them
        worker.process.channel?.ref();
        worker.once("disconnect", () => dead(code, signal));
      });
      worker.on("error", (error) => {
        this.#text = `the process could not be started, or not be told: ${error.message}`;
        if (worker.process.pid === undefined) dead(null, null);
      });
    });
    this.leaves = new Promise((resolve) => {
      void this.gone.then(() => resolve());
      this.#hear("ending", () => resolve());
    });
    this.#hear("failed", ({ text }) => (this.#text = text));
    this.start = this.#within(
      new Promise<Start>((resolve) => {
        void this.gone.then((death) => resolve({ death }));
        this.#hear("listening", ({ banner = "", handed = false }) => {
          this.#listens = true;
          this.#handed = handed;
          resolve({ banner });
        });
      }),
      () => {
        this.#text = `it did not listen within ${patience / 1000} s`;
        this.kill("SIGKILL");
        return this.gone.then((death) => ({ death }));
      },
    );
  }

  /** Undefined when the system has no room for another process; some of its errors come later, as events. */
  #fork(): Worker | undefined {
    try {
      return cluster.fork({ [workerVariable]: String(process.pid) });
    } catch (error) {
      this.#text = `the process could not be started: ${error instanceof Error ? error.message : String(error)}`;
      return undefined;
    }
  }

  get listens(): boolean {
    return this.#listens;
  }

  /** Whether it listened on a socket that a parent handed over: it is closed with the last worker that does. */
  get handed(): boolean {
    return this.#handed;
  }

  /** Resolves to why its old configuration stays, or to undefined. */
  reload(): Promise<string | undefined> {
    const answered = new Promise<string | undefined>((resolve) => {
      void this.gone.then(() => resolve("the process ended"));
      this.#hear("reloaded", ({ why }) => resolve(why));
    });
    this.order("reload");
    return this.#within(answered, () => `it did not answer within ${patience / 1000} s`);
  }

  /** Resolves when it takes no new connections, or to why it still may. */
  handOver(): Promise<string | undefined> {
    this.order("handOver");
    return this.#within<string | undefined>(
      this.leaves.then(() => undefined),
      () => `it did not stop listening within ${patience / 1000} s`,
    );
  }

  /** One that does not listen yet hears no orders. */
  order(order: Order): void {
    if (order !== "reload" && !this.#listens) this.kill("SIGTERM");
    else if (this.#worker?.isConnected() === true) this.#worker.send({ order });
  }

  kill(signal: NodeJS.Signals): void {
    this.#worker?.process.kill(signal);
  }

  #hear<Kind extends Report["mailhost"]>(kind: Kind, call: (report: Extract<Report, { mailhost: Kind }>) => void) {
    this.#worker?.on("message", (message: unknown) => {
      // `mailhost` says which of the reports it is
      if (isReport(message) && message.mailhost === kind) call(message as Extract<Report, { mailhost: Kind }>);
    });
  }

  async #within<T>(answer: Promise<T>, late: () => T | Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), patience);
    });
    const first = await Promise.race([answer.then((value) => ({ value })), tooLate]);
    clearTimeout(timer);
    return first === undefined ? late() : first.value;
  }
}
