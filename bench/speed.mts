// Server CPU per message, each server beside a base in one run: rounds interleaved, medians of the ratios and their spread.
// npm run bench [-- --quick] [--rounds N] [--only mission,limit] [--workload kept] [--write FILE] [--page FILE]
// --from FILE makes the page of what --write wrote, and measures nothing. --hold FILE puts into it what --check FILE holds
// mission to.
// Server and generator have a core each.
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Peer } from "./peers/start.mts";
import { heldRatios, looks, sameNode, worseCounts, worseRatios } from "./speed/check.mts";
import { pin, serverCore } from "./speed/cores.mts";
import { measureCounts } from "./speed/counts.mts";
import { Driver } from "./speed/driver.mts";
import { measureIdle } from "./speed/idle.mts";
import { inPage } from "./speed/markdown.mts";
import { printCounts, printIdle, printRow } from "./speed/report.mts";
import { run as runWorkload } from "./speed/rounds.mts";
import { type Run, read, versions, write } from "./speed/run.mts";
import { startAll, stopAll } from "./speed/servers.mts";
import type { Row } from "./speed/statistics.mts";
import { type Workload, countsTitle, idleTitle, workloads } from "./speed/workloads.mts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    only: { type: "string" },
    workload: { type: "string", default: "" },
    write: { type: "string" },
    page: { type: "string" },
    from: { type: "string" },
    check: { type: "string" },
    hold: { type: "string" },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 3 : 7));
const only = values.only?.split(",");
const wanted = (name: string): boolean => only?.includes(name) ?? true;
const chosen = Object.entries(workloads).filter(([title]) => title.includes(values.workload));

const driver = new Driver();
const running = new Map<string, Peer>();

async function start(which: readonly (readonly [string, Workload])[], also: (name: string) => boolean): Promise<void> {
  await startAll(new Set(which.flatMap(([, { servers }]) => servers.filter(also))), running);
  for (const { pid } of running.values()) pin(pid, serverCore);
}

async function bench(): Promise<Run> {
  await start(chosen, wanted);
  const run: Run = { on: versions(running), rounds, rows: {} };
  for (const [title, workload] of chosen) {
    if (!workload.servers.some((name) => running.has(name))) continue;
    const row = await runWorkload(driver, title, workload, running, { rounds, patient: !values.quick });
    run.rows[title] = row;
    printRow(title, row);
  }
  await stopAll(running);
  if (countsTitle.includes(values.workload) && wanted("mission")) {
    run.counts = await measureCounts(driver, running);
    printCounts(run.counts);
  }
  if (idleTitle.includes(values.workload)) {
    run.idle = await measureIdle(driver, running, wanted);
    printIdle(idleTitle, run.idle);
  }
  return run;
}

const steady = chosen.filter(([, workload]) => workload.steady === true).map(([title]) => title);

/** Mission beside limit, and nobody else. */
async function look(title: string, count: number): Promise<Row> {
  const workload = workloads[title];
  if (workload === undefined) return {};
  await start([[title, workload]], (name) => !running.has(name) && (name === "limit" || name === "mission"));
  const row = await runWorkload(driver, title, workload, running, { rounds: count, patient: false });
  printRow(`${title}, ${count} rounds`, row);
  return row;
}

/** Fails when mission is worse than that file says, and says where. */
async function check(before: Run): Promise<void> {
  if (before.held === undefined) throw new Error("that file holds mission to nothing: npm run bench -- --hold FILE");
  const worse = await worseRatios(before, steady, look);
  await stopAll(running);
  if (sameNode(before, process.versions.node)) {
    const counts = await measureCounts(driver, running);
    printCounts(counts);
    worse.push(...worseCounts(before.counts, counts));
  } else console.log("counts are those of another Node: not compared");
  for (const one of worse) console.error(`worse: ${one}`);
  if (worse.length > 0) process.exitCode = 1;
  else console.log(`\nno worse than before (ratios: within a fifth, or within it in one of ${looks.length} looks)`);
}

// All that was started ends with the process
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
try {
  if (values.check !== undefined) await check(read(values.check));
  else if (values.hold !== undefined)
    write(values.hold, { ...read(values.hold), held: await heldRatios(steady, look) });
  else {
    const run = values.from === undefined ? await bench() : read(values.from);
    if (values.write !== undefined) write(values.write, run);
    if (values.page !== undefined) writeFileSync(values.page, inPage(readFileSync(values.page, "utf8"), run));
  }
} finally {
  driver.stop();
  await stopAll(running);
}
