import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import type { Clock } from "@mailhost/core";

// A message made for it keeps a parser busy for minutes: on the main thread it would hold up every other connection.
// What stands in Return-Path and Delivered-To is the sender's word; the envelope has the server's
const program = `
  const { parentPort, workerData } = require("node:worker_threads");
  const { default: PostalMime } = require(workerData);
  parentPort.on("message", async (octets) => {
    try {
      const { headerLines, returnPath, deliveredTo, ...email } = await PostalMime.parse(octets, { attachmentEncoding: "base64" });
      const json = new TextEncoder().encode(JSON.stringify(email));
      parentPort.postMessage({ json }, [json.buffer]);
    } catch (error) {
      parentPort.postMessage({ fault: String(error?.message ?? error) });
    }
  });
`;

/** What a thread may take; one that takes more is ended, and the message with it. */
const threadMegabytes = 1024;
const parseMilliseconds = 30_000;

export type Parsed = { readonly json: Uint8Array } | { readonly fault: string };

interface Waiting {
  readonly resolve: (parsed: Parsed) => void;
  readonly reject: (error: Error) => void;
}

/** Parses messages on a thread of its own, one after the other. */
export class Parser {
  #thread: Worker | undefined;
  #waiting: Waiting | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  /**
   * The message as postal-mime reads it, as JSON; or what is wrong with it; undefined when `end` comes first.
   * It is loaded when its turn has come. Rejects when it cannot be, or when the server closes meanwhile.
   */
  parse(load: () => Promise<Uint8Array>, clock: Clock, end: number): Promise<Parsed | undefined> {
    const parsed = this.#last.then(async () => (clock.now() < end ? this.#ask(await load(), clock) : undefined));
    this.#last = parsed.catch(() => undefined);
    return new Promise((resolve, reject) => {
      const cancel = clock.after(Math.max(0, end - clock.now()), () => resolve(undefined));
      void parsed.then(resolve, reject).finally(cancel);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#thread?.terminate();
  }

  #ask(octets: Uint8Array, clock: Clock): Promise<Parsed> {
    if (this.#closed) return Promise.reject(new Error("the server closed"));
    const thread = (this.#thread ??= this.#start());
    const answered = new Promise<Parsed>((resolve, reject) => (this.#waiting = { resolve, reject }));
    const cancel = clock.after(parseMilliseconds, () => {
      this.#gone(thread, `not parsed within ${parseMilliseconds} ms`);
      void thread.terminate();
    });
    thread.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
    thread.postMessage(octets);
    return answered.finally(() => {
      cancel();
      thread.unref();
    });
  }

  #start(): Worker {
    const thread = new Worker(program, {
      eval: true,
      workerData: createRequire(import.meta.url).resolve("postal-mime"),
      // No options of the parent's: a loader for TypeScript is not needed there
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: threadMegabytes },
    });
    thread.on("message", (parsed: Parsed) => this.#waiting?.resolve(parsed));
    thread.on("error", (error) => this.#gone(thread, error.message));
    thread.on("exit", () => this.#gone(thread, "the thread of the parser ended"));
    return thread;
  }

  /** The thread is no more; the next message gets another. */
  #gone(thread: Worker, fault: string): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    if (this.#closed) this.#waiting?.reject(new Error("the server closed"));
    else this.#waiting?.resolve({ fault });
  }
}
