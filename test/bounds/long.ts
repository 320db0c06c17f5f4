// npm run bounds:long: the figures of docs/limits.md, as its table. Fails where a bound does not hold.
// argv: part of a workload's name, to measure only those.
import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { Bench, type Measured } from "./measure.ts";
import { mostReadWhileUnsent } from "./serving.ts";
import { whole, workloads } from "./workloads.ts";

const mebi = 1024 * 1024;
const [only = ""] = process.argv.slice(2);
const runs = 2;
/** Connections are the only limit these measurements raise. */
const connections = 20_000;
const othersMilliseconds = 20;

const descriptors = Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
if (descriptors < 12_000) throw new Error(`${descriptors} open files are too few: ulimit -n 12000 first`);

const results: Measured[][] = workloads.filter(({ name }) => name.includes(only)).map(() => []);
for (let run = 0; run < runs; run += 1) {
  const bench = await Bench.start(connections, 5000);
  for (const [index, workload] of workloads.filter(({ name }) => name.includes(only)).entries()) {
    const measured = await bench.measure(workload, whole, workload.once === true ? 0 : 5000);
    results[index]?.push(measured);
    console.error(`run ${run + 1}, load ${loadavg()[0]?.toFixed(1)}: ${workload.name}: ${rowOf([measured])}`);
  }
  await bench.close();
}

/** What is not as promised. */
function failures({ workload, said, grown, delays, readWhileUnsent }: Measured): string[] {
  return [
    ...(said === workload.ends ? [] : [`answered ${said} instead of ${workload.ends}`]),
    ...(grown < workload.grow(whole) ? [] : ["memory"]),
    ...(delays.p999 < othersMilliseconds ? [] : ["delay of others"]),
    ...(readWhileUnsent <= mostReadWhileUnsent ? [] : [`${readWhileUnsent} octets read while replies were unsent`]),
    ...delays.problems,
  ];
}

function rowOf(measured: readonly Measured[]): string {
  const [first] = measured;
  const each = (show: (one: Measured) => string): string => measured.map(show).join(", ");
  return [
    first?.said === "" ? "unread" : first?.said,
    each(({ grown }) => (Math.max(0, grown) / mebi).toFixed(1)),
    ((first?.workload.grow(whole) ?? 0) / mebi).toFixed(0),
    each(({ delays }) => delays.p999.toFixed(1)),
    each(({ delays }) => delays.worst.toFixed(0)),
    each(({ delays }) => String(delays.replies)),
    measured.flatMap(failures).join("; ") || "holds",
  ].join(" | ");
}

console.log(
  `Node ${process.version}, ${cpus().length} cores, ${cpus()[0]?.model}. Bound of the others' p99.9: 20 ms.\n`,
);
console.log("| what a client does | last reply | growth, MiB | bound | others' p99.9, ms | worst, ms | of replies | |");
console.log(`|${" --- |".repeat(8)}`);
for (const measured of results) console.log(`| ${measured[0]?.workload.name} | ${rowOf(measured)} |`);
const unsent = Math.max(...results.flat().map(({ readWhileUnsent }) => readWhileUnsent));
console.log(`\nRead from one client while replies to it were unsent: ${unsent} octets, bound ${mostReadWhileUnsent}.`);
process.exitCode = results.flat().flatMap(failures).length > 0 ? 1 : 0;
