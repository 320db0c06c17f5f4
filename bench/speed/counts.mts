// What a message costs that no clock and no neighbour on the machine can change: system calls, and octets left to the
// collector. One client, one message after the other, mission.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Peer, remove, temporary } from "../peers/start.mts";
import type { Driver } from "./driver.mts";
import type { Load } from "./generator.mts";
import { startMission, stopAll } from "./servers.mts";
import { middle } from "./statistics.mts";
import { letter } from "./workloads.mts";

export interface Counts {
  /** System calls a message; those that wait, or belong to memory and threads, are left out. Undefined without strace. */
  readonly calls?: number;
  /** Octets allocated on the heap, a message. */
  readonly garbage: number;
}

const alone = { ...letter, parallel: 1 };
const counted: Record<string, Omit<Load, "port">> = {
  "a connection each": { ...alone, kept: false },
  kept: alone,
  pipelined: { ...alone, pipelined: true },
  "100 recipients, pipelined": { ...alone, pipelined: true, recipients: 100 },
};

// The young generation has room for many messages, so that hardly any collection falls into what is counted
const roomy = ["--min-semi-space-size=256", "--max-semi-space-size=256"];
const probe = ["--import", new URL("../peers/heap-probe.mjs", import.meta.url).href];

const traced =
  "trace=read,write,readv,writev,pread64,pwrite64,accept4,close,shutdown,openat,rename,fsync,%network,epoll_ctl";
const messages = 200;

/** It may not look at a process of ours where only root may, or is not here. */
async function attached(strace: ChildProcess): Promise<boolean> {
  for await (const chunk of strace.stderr ?? []) if (String(chunk).includes("attached")) return true;
  return false;
}

/** The last line of strace's summary: all calls. */
const totalIn = (summary: string): number => Number(/^\s*100\.00\s+\S+\s+\S+\s+(\d+)/m.exec(summary)?.[1] ?? NaN);

async function callsOf(driver: Driver, peer: Peer, load: Load): Promise<number | undefined> {
  const folder = temporary("strace");
  const file = join(folder, "calls");
  const strace = spawn("strace", ["-f", "-c", "-e", traced, "-o", file, "-p", String(peer.pid)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  strace.on("error", () => {}); // it is not here, and says nothing
  try {
    if (!(await attached(strace))) return undefined;
    await driver.drive({ ...load, messages });
    strace.kill("SIGINT");
    await once(strace, "exit");
    return totalIn(readFileSync(file, "utf8")) / messages;
  } finally {
    strace.kill("SIGKILL");
    remove(folder);
  }
}

/** The median of some: where the collector came, the heap is smaller than before. */
async function garbageOf(driver: Driver, peer: Peer, load: Load): Promise<number> {
  const found: number[] = [];
  for (let time = 0; time < 7; time += 1) {
    const before = (await peer.heap?.()) ?? NaN;
    await driver.drive({ ...load, messages });
    found.push((((await peer.heap?.()) ?? NaN) - before) / messages);
  }
  return middle(found);
}

export async function measureCounts(driver: Driver, running: Map<string, Peer>): Promise<Record<string, Counts>> {
  const found: Record<string, Counts> = {};
  for (const [title, load] of Object.entries(counted)) {
    const peer = await startMission({ execArgv: [...roomy, ...probe] });
    running.set("mission", peer);
    try {
      const to = { ...load, port: peer.port };
      await driver.drive({ ...to, messages: 3000 });
      const garbage = await garbageOf(driver, peer, to);
      const calls = await callsOf(driver, peer, to);
      if (calls === undefined) console.error(`${title}: strace does not attach, so system calls are not counted`);
      found[title] = { garbage, ...(calls === undefined ? {} : { calls }) };
    } finally {
      await stopAll(running);
    }
  }
  return found;
}
