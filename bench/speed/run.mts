// What one run of the bench found, as `--write` writes it and the table and the check read it.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { basename } from "node:path";
import type { Peer } from "../peers/start.mts";
import type { Counts } from "./counts.mts";
import type { IdleResult } from "./idle.mts";
import type { Row } from "./statistics.mts";

export interface Run {
  readonly on: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly rows: Record<string, Row>;
  /** CPU of mission beside limit with no other server in between, as the check looks at it: caches are warmer then. */
  held?: Record<string, number>;
  idle?: Record<string, IdleResult>;
  counts?: Record<string, Counts>;
}

/** What it was measured on: a figure without that says little. */
export function versions(running: ReadonlyMap<string, Peer>): Record<string, string> {
  const peers = [...running.values()].filter(({ version }) => version !== "");
  return {
    date: new Date().toISOString().slice(0, 10),
    Node: process.versions.node,
    Linux: release(),
    CPU: `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown"}`,
    "file system": fileSystem(),
    ...Object.fromEntries(peers.map(({ name, version }) => [name.replace(/^mailhost .*/, "mailhost"), version])),
  };
}

/** Its type; of ext4 also whether it has a journal, which an fsync has to wait for. */
function fileSystem(): string {
  const told = execFileSync("df", ["--output=fstype,source", tmpdir()], { encoding: "utf8" }).trim().split(/\s+/);
  const [type = "", device = ""] = told.slice(-2);
  const journals = existsSync("/proc/fs/jbd2") ? readdirSync("/proc/fs/jbd2") : [];
  const its = journals.some((name) => name.replace(/-\d+$/, "") === basename(device));
  return type === "ext4" && !its ? "ext4 without a journal" : type;
}

/** Digits beyond the fourth say nothing. */
const short = (_key: string, value: unknown): unknown =>
  typeof value === "number" ? Number(value.toPrecision(4)) : value;

export const write = (file: string, run: Run): void => writeFileSync(file, `${JSON.stringify(run, short, 2)}\n`);

export const read = (file: string): Run => JSON.parse(readFileSync(file, "utf8")) as Run; // what `write` wrote
