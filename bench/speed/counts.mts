// What a message costs that no clock and no neighbour on the machine can change: system calls, and octets left to the
// collector. One client, one message after the other, mission.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Peer, remove, temporary } from "../peers/start.mts";
import type { Driver } from "./driver.mts";
import type { Load } from "./generator.mts";
import { startMission } from "./servers.mts";
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

const calls =
  "trace=read,write,readv,writev,pread64,pwrite64,accept4,close,shutdown,openat,rename,fsync,%network,epoll_ctl";
const messages = 200;

async function attached(strace: ChildProcess): Promise<void> {
  if (strace.stderr === null) throw new Error("strace has no stderr");
  for await (const chunk of strace.stderr) if (String(chunk).includes("attached")) return;
  throw new Error("strace does not attach");
}

/** The last line of strace's summary: all calls. */
const totalIn = (summary: string): number => Number(/^\s*100\.00\s+\S+\s+\S+\s+(\d+)/m.exec(summary)?.[1] ?? NaN);

async function callsOf(driver: Driver, peer: Peer, load: Load): Promise<number> {
  const folder = temporary("strace");
  const file = join(folder, "calls");
  const strace = spawn("strace", ["-f", "-c", "-e", calls, "-o", file, "-p", String(peer.pid)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  try {
    await attached(strace);
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

export async function measureCounts(driver: Driver): Promise<Record<string, Counts>> {
  const traceable = spawnSync("strace", ["-V"]).status === 0;
  if (!traceable) console.error("strace is not here: system calls are not counted");
  const found: Record<string, Counts> = {};
  for (const [title, load] of Object.entries(counted)) {
    const peer = await startMission({ execArgv: [...roomy, ...probe] });
    try {
      const to = { ...load, port: peer.port };
      await driver.drive({ ...to, messages: 3000 });
      const garbage = await garbageOf(driver, peer, to);
      found[title] = { garbage, ...(traceable ? { calls: await callsOf(driver, peer, to) } : {}) };
    } finally {
      await peer.stop();
    }
  }
  return found;
}
