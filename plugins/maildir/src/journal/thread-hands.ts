import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { FoldersOptions } from "../folders.ts";
import type { Failures, Hands } from "./hands.ts";
import type { Target } from "./record.ts";
import type { Answer, Failure, Job } from "./thread.ts";

const ending = extname(import.meta.url);
const itsProgram = new URL(`./thread${ending}`, import.meta.url);

/** From source, TypeScript is to be read to the thread: tsx as `--import` does that in main threads alone. */
const readTo = (program: URL): string => `
  import("${import.meta.resolve("tsx/esm/api")}").then(({ register }) => {
    register();
    return import("${program.href}");
  });`;

interface Asked {
  resolve(failures: Failures): void;
  reject(error: unknown): void;
}

/** It ended before it answered. */
class Ended extends Error {
  override readonly name = "Ended";
}

/** Has the work done by a thread, which is started for the first. Should it end, the work is done here from then on. */
export class ThreadHands implements Hands {
  readonly #program: URL;
  readonly #options: FoldersOptions;
  readonly #own: Hands;
  readonly #complain: (error: unknown) => void;
  #thread: Worker | undefined;
  /** What it has not answered yet, in order. */
  readonly #asked: Asked[] = [];
  #ended = false;

  /** `own` does what no thread does; `complain` hears why it does not. */
  constructor(options: FoldersOptions, own: Hands, complain: (error: unknown) => void, program = itsProgram) {
    this.#program = program;
    this.#options = options;
    this.#own = own;
    this.#complain = complain;
  }

  put(records: readonly Buffer[]): Promise<Failures> {
    return this.#ask({ put: records }, () => this.#own.put(records));
  }

  settle(targets: readonly Target[]): Promise<Failures> {
    return this.#ask({ settle: targets }, () => this.#own.settle(targets));
  }

  async #ask(job: Job, otherwise: () => Promise<Failures>): Promise<Failures> {
    if (this.#ended) return otherwise();
    try {
      return await this.#post(job);
    } catch (error) {
      if (error instanceof Ended) return otherwise();
      throw error;
    }
  }

  #post(job: Job): Promise<Failures> {
    const thread = (this.#thread ??= this.#startOrEnd());
    thread.ref(); // nothing else may keep the process until it has answered
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      thread.postMessage(job, []);
    });
  }

  /** Throws Ended where the system gives no thread. */
  #startOrEnd(): Worker {
    try {
      return this.#start();
    } catch (error) {
      this.#over(error);
      throw new Ended();
    }
  }

  #start(): Worker {
    const thread = this.#program.href.endsWith(".ts")
      ? new Worker(readTo(this.#program), {
          eval: true,
          execArgv: ["-C", "@mailhost/source"],
          workerData: this.#options,
        })
      : new Worker(this.#program, { workerData: this.#options });
    thread.on("message", (answer: Answer) => this.#answered(answer));
    let why: unknown;
    thread.on("error", (error) => (why = error));
    // Not before: the memory of what it has in hand may be used again once that is answered
    thread.on("exit", (code) => this.#over(why ?? new Error(`it ended with ${code}`)));
    return thread;
  }

  #answered(answer: Answer): void {
    const asked = this.#asked.shift();
    if (this.#asked.length === 0) this.#thread?.unref();
    if ("error" in answer) asked?.reject(errorOf(answer.error));
    else asked?.resolve(new Map(answer.failed.map(([place, failure]) => [place, errorOf(failure)])));
  }

  #over(error: unknown): void {
    if (!this.#ended) this.#complain(error);
    this.#ended = true;
    for (const asked of this.#asked.splice(0)) asked.reject(new Ended());
  }

  async close(): Promise<void> {
    this.#ended = true;
    await this.#thread?.terminate();
  }
}

const errorOf = ({ code, message }: Failure): Error => Object.assign(new Error(message), { code });
