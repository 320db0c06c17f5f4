// One target, fuzzed in a thread of its own: whoever started it watches from outside, since a loop without end
// can report nothing. Bundled with counters in core by bundle.ts.
import { parentPort, workerData } from "node:worker_threads";
import { readCorpus, writeCorpus } from "./corpus.ts";
import { Fuzzer, type Outcome } from "./fuzzer.ts";
import type { Target } from "./target.ts";
import { dialogue } from "./targets/dialogue.ts";
import { framing } from "./targets/framing.ts";
import { grammar } from "./targets/grammar.ts";

export interface Task {
  readonly target: TargetName;
  readonly folder: string;
  readonly seed: number;
  readonly milliseconds: number;
  /** Adds what is new to the corpus. */
  readonly keep: boolean;
  /** What runs now: its length, a number that goes up, the text. */
  readonly about: SharedArrayBuffer;
}

const targets: Readonly<Record<"grammar" | "framing" | "dialogue", () => Target | Promise<Target>>> = {
  grammar,
  framing,
  dialogue,
};
export type TargetName = keyof typeof targets;

/** Of one line of a corpus that is kept by itself. */
const mostKept = 4096;

const task = workerData as Task; // from `start` in watch.ts, by its own type
const numbers = new Uint32Array(task.about, 0, 2);
const text = new Uint8Array(task.about, 8);
const encoder = new TextEncoder();
const scratch = new Uint8Array(text.length);

const corpus = readCorpus(task.folder, task.target);
const target = await targets[task.target]();
const fuzzer = new Fuzzer(target, {
  seed: task.seed,
  milliseconds: task.milliseconds,
  corpus,
  about(pieces) {
    const { written: octets } = encoder.encodeInto(JSON.stringify(pieces), scratch);
    text.set(scratch.subarray(0, octets));
    numbers[0] = octets;
    numbers[1] = (numbers[1] ?? 0) + 1;
  },
});
const outcome: Outcome = await fuzzer.run();
if (task.keep && outcome.findings.length === 0)
  writeCorpus(task.folder, task.target, [...corpus, ...(await fuzzer.worthKeeping(mostKept))]);
fuzzer.close();
await target.close();
parentPort?.postMessage(outcome); // oxlint-disable-line unicorn/require-post-message-target-origin -- of a thread, not of a window
