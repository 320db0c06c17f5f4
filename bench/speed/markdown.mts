// A run as the tables of docs/performance.md.
import type { IdleResult } from "./idle.mts";
import type { Run } from "./run.mts";
import type { Result, Row } from "./statistics.mts";
import { targets } from "./targets.mts";
import { idleTitle, workloads } from "./workloads.mts";

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const two = (value: number): string => value.toFixed(2);
const spread = (it: Result): string => `${two(it.ratio)} (${two(it.low)}–${two(it.high)})`;
const microseconds = (milliseconds: number): string => `${(milliseconds * 1000).toFixed(0)} µs`;
const mebibytes = (octets: number): string => `${(octets / 1024 / 1024).toFixed(0)} MiB`;

const baseOf = (row: Row): string => Object.keys(row)[0] ?? "";

const columns = ["mission", "bare", "smtp-sink", "Go seed", "go-smtp", "smtp-server", "Haraka", "Postfix"];

/** Where messages come at their own time, what counts is how long they wait. */
const isTimed = (title: string): boolean => workloads[title]?.perSecond !== undefined;

/** Rows that are held beside `limit`, and in which mission stands. */
function ratios({ rows }: Run): string {
  const lines = Object.entries(rows)
    .filter(([title, row]) => baseOf(row) === "limit" && row["mission"] !== undefined && !isTimed(title))
    .map(([title, row]) => [
      title,
      `${row["limit"]?.microseconds.toFixed(0) ?? "–"} µs`,
      ...columns.map((name) => {
        const it = row[name];
        return it === undefined ? "–" : name === "mission" ? spread(it) : two(it.ratio);
      }),
      targets[title] ?? "–",
    ]);
  return table(["workload", "limit", ...columns, "target of mission"], lines);
}

const share = (one: Result | undefined, other: Result | undefined): string =>
  one === undefined || other === undefined ? "–" : two(one.microseconds / other.microseconds);

/** Mission as a part of each other server's CPU. */
function beside({ rows }: Run): string {
  const names = columns.slice(2);
  const lines = Object.entries(rows)
    .filter(([, row]) => row["mission"] !== undefined && names.some((name) => row[name] !== undefined))
    .map(([title, row]) => [title, ...names.map((name) => share(row["mission"], row[name]))]);
  return table(["mission's CPU as a part of", ...names], lines);
}

/** Rows with a base of their own, and what is stored. */
function apart({ rows }: Run): string {
  const lines = Object.entries(rows)
    .filter(([, row]) => row["mission"] === undefined || baseOf(row) !== "limit")
    .flatMap(([title, row]) =>
      Object.entries(row).map(([name, it], at) => [
        at === 0 ? title : "",
        name,
        `${it.microseconds.toFixed(0)} µs`,
        spread(it),
        it.later === undefined ? "–" : `${it.later.toFixed(0)} µs`,
        it.delivered === undefined ? "–" : it.delivered.toFixed(0),
        at === 0 ? (targets[title] ?? "–") : "",
      ]),
    );
  return table(
    ["workload", "server", "CPU", "ratio", "with what it does later", "delivered a second", "target"],
    lines,
  );
}

function timed({ rows }: Run): string {
  const lines = Object.entries(rows)
    .filter(([title]) => isTimed(title))
    .flatMap(([title, row]) =>
      Object.entries(row).map(([name, it], at) => [
        at === 0 ? title : "",
        name,
        microseconds(it.median),
        two(it.medianRatio),
        microseconds(it.p99),
        two(it.p99Ratio),
        at === 0 ? (targets[title] ?? "–") : "",
      ]),
    );
  return table(["workload", "server", "p50", "ratio", "p99", "ratio", "target"], lines);
}

function details({ rows }: Run): string {
  const lines = Object.entries(rows).flatMap(([title, row]) =>
    Object.entries(row).map(([name, it], at) => [
      at === 0 ? title : "",
      name,
      it.perSecond.toFixed(0),
      two(it.used),
      mebibytes(it.peak),
      microseconds(it.median),
      two(it.medianRatio),
      microseconds(it.p99),
      two(it.p99Ratio),
    ]),
  );
  return table(
    ["workload", "server", "a second", "uses of a core", "peak memory", "p50", "ratio", "p99", "ratio"],
    lines,
  );
}

const idling = (found: Readonly<Record<string, IdleResult>>): string =>
  table(
    [idleTitle, "memory for each", "p99 of a client at work", "ratio"],
    Object.entries(found).map(([name, it]) => [
      name,
      `${it.kibibytes.toFixed(1)} KiB`,
      microseconds(it.p99),
      two(it.p99Ratio),
    ]),
  );

const counted = (counts: NonNullable<Run["counts"]>): string =>
  table(
    ["mission, one client", "system calls a message", "garbage a message"],
    Object.entries(counts).map(([title, { calls, garbage }]) => [
      title,
      calls?.toFixed(2) ?? "–",
      `${(garbage / 1024).toFixed(1)} KiB`,
    ]),
  );

const setting = ({ on, rounds }: Run): string =>
  `${Object.entries(on)
    .map(([name, version]) => (name === "date" ? `Measured on ${version}` : `${name} ${version}`))
    .join(", ")}; ${rounds} rounds.`;

export const markdown = (run: Run): string =>
  [
    ratios(run),
    beside(run),
    apart(run),
    timed(run),
    ...(run.idle === undefined ? [] : [idling(run.idle)]),
    ...(run.counts === undefined ? [] : [counted(run.counts)]),
    setting(run),
    `<details><summary>Rates, memory and latencies</summary>\n\n${details(run)}\n\n</details>`,
  ].join("\n\n");

const [begin, end] = ["<!-- made by npm run bench:page: begin -->", "<!-- end -->"];

/** Puts the tables of a run where they stand in a page. */
export function inPage(page: string, run: Run): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page has no ${begin} … ${end}`);
  return `${page.slice(0, from)}${begin}\n\n${markdown(run)}\n\n${page.slice(to)}`;
}
