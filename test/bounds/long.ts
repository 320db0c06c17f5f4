// npm run bounds:long: the figures of docs/limits.md as a table. argv: part of a workload's name, to measure only those.
import { loadavg } from "node:os";
import { Bench, type Measured } from "./measure.ts";
import { whole, workloads } from "./workloads.ts";

const mebi = 1024 * 1024;
const only = process.argv[2] ?? "";
const runs = 2;
const chosen = workloads.filter(({ name }) => name.includes(only));

const results = new Map<string, Measured[]>();
for (let run = 0; run < runs; run += 1) {
  const bench = await Bench.start(20_000, 5000);
  for (const workload of chosen) {
    const times = workload.name.startsWith("a stream") ? 5 : 1;
    const measured = await bench.measure(workload, whole, times);
    results.set(workload.name, [...(results.get(workload.name) ?? []), measured]);
    const { said, grown, kept, readWhileUnsent, delays } = measured;
    console.error(
      [workload.name, said, `grown ${(grown / mebi).toFixed(1)}`, `kept ${(kept / mebi).toFixed(1)}`].join(" | "),
      `| unsent ${readWhileUnsent} | ${JSON.stringify(delays)} | load ${loadavg()[0]?.toFixed(1)}`,
    );
  }
  await bench.close();
}
