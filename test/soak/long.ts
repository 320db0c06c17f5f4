// npm run soak: thirty minutes of mixed load with reloads and new certificates, on the build as users run it.
// Fails where something is lost or complained of, or a level rises. --minutes 30 --seed N --form built
import { parseArgs } from "node:util";
import { perHour, soak } from "./soak.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    form: { type: "string", default: "built" },
  },
});
const seed = Number(values.seed);
const form = values.form === "source" ? "source" : "built";
const seconds = Number(values.minutes) * 60;
const warmSeconds = Math.min(300, seconds / 5);
console.log(`${new Date().toISOString()} seed ${seed}, Node ${process.version}, ${form}, ${values.minutes} minutes`);

const { samples, quiet, counts, problems } = await soak({
  form,
  seed,
  warmSeconds,
  seconds: seconds - warmSeconds,
  reloadSeconds: 3,
  swapSeconds: 7,
  sampleSeconds: 10,
  report: (line) => console.log(line),
});

const mebi = 1024 * 1024;
/** Rises in an hour, by a straight line through the samples; and from before to after, without a client. */
const levels = [
  { what: "heap and buffers after a collection, MiB", of: ({ heap }) => heap / mebi, hour: 4, whole: 2 },
  { what: "resident memory, MiB", of: ({ resident }) => resident / mebi, hour: 60, whole: 40 },
  { what: "descriptors", of: ({ descriptors }) => descriptors, hour: 10, whole: 0 },
] satisfies { what: string; of: (sample: (typeof samples)[number]) => number; hour: number; whole: number }[];

console.log(counts);
for (const { what, of, hour, whole } of levels) {
  const slope = perHour(samples, of);
  const rise = of(quiet[1]) - of(quiet[0]);
  const ok = slope < hour && rise <= whole;
  console.log(
    `${what}: ${slope.toFixed(2)} an hour under load (bound ${hour}); ${of(quiet[0]).toFixed(2)} before and ${of(quiet[1]).toFixed(2)} after, quiet (bound +${whole}): ${ok ? "level" : "RISES"}`,
  );
  if (!ok) process.exitCode = 1;
}
for (const problem of problems) console.log(problem);
if (problems.length > 0) process.exitCode = 1;
