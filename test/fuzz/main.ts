// npm run fuzz. Arguments: the targets (all); --seconds or --hours in all (ten minutes); --seed; --keep adds to the corpus.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundled } from "./bundle.ts";
import type { Outcome } from "./fuzzer.ts";
import { watched } from "./watch.ts";
import type { TargetName } from "./worker.ts";

/** What part of the time each gets: dialogues go through everything. */
const shares: Readonly<Record<TargetName, number>> = { grammar: 0.25, framing: 0.15, dialogue: 0.6 };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "600" },
    hours: { type: "string" },
    seed: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});
const seconds = values.hours === undefined ? Number(values.seconds) : 3600 * Number(values.hours);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const isTarget = (name: string): name is TargetName => Object.hasOwn(shares, name);
const unknown = positionals.filter((name) => !isTarget(name));
if (unknown.length > 0 || !(seconds > 0) || !(seed >= 0)) {
  console.error(`Targets are ${Object.keys(shares).join(", ")}; seconds, hours and the seed are numbers.`);
  process.exit(2);
}
const targets = (positionals.length > 0 ? positionals : Object.keys(shares)).filter(isTarget);
const folder = join(import.meta.dirname, "corpus");

function report(target: TargetName, outcome: Outcome): void {
  const { runs, seconds: took, atWork, fresh, longest, findings, reached } = outcome;
  console.log(
    `${target}: ${runs} runs in ${took.toFixed(0)} s, ${Math.round(runs / atWork)} a second of processor time; ` +
      `${fresh} inputs new; longest step ${longest.toFixed(1)} ms`,
  );
  for (const room of ["protocol", "session", "message", "host"]) {
    const files = reached.filter(({ path }) => path.includes(`core/src/${room}/`));
    const sum = (of: "taken" | "branches"): number => files.reduce((all, file) => all + file[of], 0);
    if (sum("taken") > 0) console.log(`  core/src/${room}: ${sum("taken")} of ${sum("branches")} branches`);
  }
  for (const { what, input } of findings) console.error(`  FOUND ${what}\n    ${input}`);
}

console.log(`seed ${seed}`);
const { file, remove } = await bundled("worker.ts");
try {
  const all = targets.reduce((sum, target) => sum + shares[target], 0);
  for (const target of targets) {
    const milliseconds = (seconds * 1000 * shares[target]) / all;
    const outcome = await watched(file, { target, folder, seed, milliseconds, keep: values.keep });
    report(target, outcome);
    if (outcome.findings.length > 0) process.exitCode = 1;
  }
} finally {
  remove();
}
