// Ten thousand connections that say EHLO and nothing more: memory for each, and what a client at work notices of them.
// Each server is started anew: what it grew by in earlier rounds would hide what it needs here.
import { idle } from "../peers/clients.mts";
import { resident } from "../peers/processes.mts";
import type { Peer } from "../peers/start.mts";
import { pin, serverCore } from "./cores.mts";
import type { Driver } from "./driver.mts";
import { startAll, stopAll } from "./servers.mts";
import { middle } from "./statistics.mts";
import { idleTitle, letter } from "./workloads.mts";

const connections = 10_000;

/** Postfix has a process for each. */
const wanted = ["limit", "mission", "smtp-sink", "smtp-server", "Haraka"];

/** Those whose answers are compared: each in turn, that many times. */
const compared = new Set(["limit", "mission"]);
const times = 3;

export interface IdleResult {
  /** Resident memory for each connection, KiB. */
  readonly kibibytes: number;
  /** Milliseconds from MAIL to the answer to the dot, of one client beside the idle ones. */
  readonly p99: number;
  readonly p99Ratio: number;
}

interface Held {
  readonly kibibytes: number;
  readonly p99: number;
}

async function hold(driver: Driver, peer: Peer): Promise<Held> {
  const client = { ...letter, parallel: 1, messages: 2000, port: peer.port };
  await driver.drive(client);
  const before = resident(peer.pid);
  const held = await idle(peer.port, connections);
  try {
    if (held.answered < connections) throw new Error(`it takes ${held.answered} connections`);
    const kibibytes = (resident(peer.pid) - before) / connections / 1024;
    const { p99 } = await driver.drive(client);
    return { kibibytes, p99 };
  } finally {
    held.close();
  }
}

export async function measureIdle(
  driver: Driver,
  only: (name: string) => boolean,
): Promise<Record<string, IdleResult>> {
  const running = new Map<string, Peer>();
  const found = new Map<string, Held[]>();
  try {
    await startAll(wanted.filter(only), running);
    for (const { pid } of running.values()) pin(pid, serverCore);
    for (let time = 0; time < times; time += 1)
      for (const [name, peer] of running) {
        if (time > 0 && !compared.has(name)) continue;
        const held = await hold(driver, peer).catch((problem: unknown) => {
          console.error(`${idleTitle}: ${name} is left out: ${String(problem)}`);
        });
        if (held !== undefined) found.set(name, [...(found.get(name) ?? []), held]);
      }
  } finally {
    await stopAll(running);
  }
  const p99Of = (name: string): number => middle((found.get(name) ?? []).map(({ p99 }) => p99));
  const result = (name: string, [first]: readonly Held[]): IdleResult => ({
    kibibytes: first?.kibibytes ?? NaN, // later ones find memory that is there already
    p99: p99Of(name),
    p99Ratio: p99Of(name) / p99Of("limit"),
  });
  return Object.fromEntries([...found].map(([name, its]) => [name, result(name, its)]));
}
