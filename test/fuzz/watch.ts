import { Worker } from "node:worker_threads";
import type { Outcome } from "./fuzzer.ts";
import type { Task } from "./worker.ts";

/** A run takes microseconds; whoever takes so long, on a machine that is busy with other things too, has no end. */
const hopeless = 20_000;

/** Runs a task in a thread and looks at it now and then. Rejects, with the input, when it hangs or dies. */
export function watched(file: string, task: Omit<Task, "about">): Promise<Outcome> {
  const about = new SharedArrayBuffer(8 + 1024 * 1024);
  const numbers = new Uint32Array(about, 0, 2);
  const input = (): string => Buffer.from(new Uint8Array(about, 8, numbers[0])).toString();
  const worker = new Worker(file, { workerData: { ...task, about }, resourceLimits: { maxOldGenerationSizeMb: 512 } });
  let ran = -1;
  return new Promise<Outcome>((resolve, reject) => {
    const look = setInterval(() => {
      if (numbers[1] === ran) reject(new Error(`${task.target}: no end within ${hopeless} ms: ${input()}`));
      ran = numbers[1] ?? 0;
    }, hopeless);
    const over = (): void => clearInterval(look);
    worker.once("message", (outcome: Outcome) => resolve(outcome));
    worker.once("error", (error) =>
      reject(new Error(`${task.target}: ${error.message}: ${input()}`, { cause: error })),
    );
    worker.once("exit", (code) => {
      over();
      reject(new Error(`${task.target}: ended with ${code}: ${input()}`)); // unless the outcome came before
    });
  }).finally(() => void worker.terminate());
}
