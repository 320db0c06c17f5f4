// A thread that does the work of `hands.ts` with calls that block: it is woken once for many files, and nobody else for any.
import { errorCode } from "../error-code.ts";
import { parentPort, workerData } from "node:worker_threads";
import { blockingFiles } from "../blocking-files.ts";
import { Folders, type FoldersOptions } from "../folders.ts";
import { type Failures, OwnHands } from "./hands.ts";
import type { Target } from "./record.ts";

/** What it is handed. */
export type Job = { readonly put: readonly Uint8Array[] } | { readonly settle: readonly Target[] };

/** An error as it gets from one thread to another. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** What came of a job: of each that failed, its place and why; or why all of it did. Answers come in the order of jobs. */
export type Answer = { readonly failed: readonly (readonly [number, Failure])[] } | { readonly error: Failure };

const options = workerData as FoldersOptions; // what `ThreadHands` gives
const now = (): number => Date.now();
const folders = new Folders(blockingFiles, options, now);
const hands = new OwnHands({ files: blockingFiles, root: options.root, folders, now });

const told = (error: unknown): Failure => ({ code: errorCode(error), message: String(error) });

const work = (job: Job): Promise<Failures> =>
  "put" in job
    ? hands.put(job.put.map(({ buffer, byteOffset, length }) => Buffer.from(buffer, byteOffset, length)))
    : hands.settle(job.settle);

async function answer(job: Job): Promise<Answer> {
  try {
    return { failed: [...(await work(job))].map(([place, error]) => [place, told(error)]) };
  } catch (error) {
    return { error: told(error) };
  }
}

let turn: Promise<unknown> = Promise.resolve();
parentPort?.on("message", (job: Job) => {
  turn = turn.then(async () => parentPort?.postMessage(await answer(job), []));
});
