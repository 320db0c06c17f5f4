// A run as lines for a terminal.
import type { Counts } from "./counts.mts";
import type { IdleResult } from "./idle.mts";
import type { Result, Row } from "./statistics.mts";

const ratio = (value: number): string => `x${value.toFixed(2)}`;

/** Milliseconds as microseconds. */
const micro = (milliseconds: number): string => `${(milliseconds * 1000).toFixed(0)} us`;

const mebi = (octets: number): string => (octets / 1024 / 1024).toFixed(0);

const lineOf = (name: string, it: Result): string =>
  [
    `  ${name.padEnd(18)} ${it.microseconds.toFixed(0).padStart(7)} us`,
    `${ratio(it.ratio)} (${it.low.toFixed(2)}-${it.high.toFixed(2)})`,
    `${it.perSecond.toFixed(0).padStart(6)}/s`,
    `uses ${it.used.toFixed(2)}`,
    `p50 ${micro(it.median)} ${ratio(it.medianRatio)}`,
    `p99 ${micro(it.p99)} ${ratio(it.p99Ratio)}`,
    `peak ${mebi(it.peak)} MiB`,
    ...(it.delivered === undefined ? [] : [`delivers ${it.delivered.toFixed(0)}/s`]),
    ...(it.later === undefined ? [] : [`with what is done later ${it.later.toFixed(0)} us`]),
  ].join("  ");

export function printRow(title: string, row: Row): void {
  console.log(`\n${title}`);
  for (const [name, it] of Object.entries(row)) console.log(lineOf(name, it));
}

export function printIdle(title: string, found: Readonly<Record<string, IdleResult>>): void {
  console.log(`\n${title}: resident memory for each, and a client at work beside them`);
  for (const [name, it] of Object.entries(found))
    console.log(`  ${name.padEnd(18)} ${it.kibibytes.toFixed(1)} KiB  p99 ${micro(it.p99)} ${ratio(it.p99Ratio)}`);
}

export function printCounts(found: Readonly<Record<string, Counts>>): void {
  console.log("\nmission, counted: system calls and octets of garbage a message");
  for (const [title, { calls, garbage }] of Object.entries(found))
    console.log(`  ${title.padEnd(28)} ${calls?.toFixed(2) ?? "-"}  ${garbage.toFixed(0)}`);
}
