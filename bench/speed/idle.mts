// Ten thousand connections that say EHLO and nothing more: memory for each, and what a client at work notices of them.
// Each server is started anew each time: what it grew by before would hide what it needs here.
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
const wanted = ["limit", "mission", "smtp-sink", "Go seed", "go-smtp", "smtp-server", "Haraka"];

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

async function hold(driver: Driver, peer: Peer, messages: number): Promise<Held> {
  const client = { ...letter, parallel: 1, messages, port: peer.port };
  await driver.drive(client);
  const before = resident(peer.pid);
  const held = await idle(peer.port, connections);
  try {
    if (held.answered < connections) throw new Error(`it takes ${held.answered} connections`);
    const kibibytes = (resident(peer.pid) - before) / connections / 1024;
    await driver.drive(client); // what ten thousand greetings left to the collector is no part of it
    const { p99 } = await driver.drive(client);
    return { kibibytes, p99 };
  } finally {
    held.close();
  }
}

/** A server that does not take them all is told and left out. */
async function holdAnew(driver: Driver, running: Map<string, Peer>, name: string): Promise<Held | undefined> {
  try {
    await startAll([name], running);
    const peer = running.get(name);
    if (peer === undefined) return undefined;
    pin(peer.pid, serverCore);
    return await hold(driver, peer, compared.has(name) ? 2000 : 500); // those are slow
  } catch (problem) {
    console.error(`${idleTitle}: ${name} is left out: ${String(problem)}`);
    return undefined;
  } finally {
    await stopAll(running);
  }
}

export async function measureIdle(
  driver: Driver,
  running: Map<string, Peer>,
  only: (name: string) => boolean,
): Promise<Record<string, IdleResult>> {
  const found = new Map<string, Held[]>();
  for (let time = 0; time < times; time += 1)
    for (const name of wanted) {
      if (!only(name) || (time > 0 && !compared.has(name))) continue;
      const held = await holdAnew(driver, running, name);
      if (held !== undefined) found.set(name, [...(found.get(name) ?? []), held]);
    }
  const median = (name: string, what: keyof Held): number => middle((found.get(name) ?? []).map((held) => held[what]));
  const result = (name: string): IdleResult => ({
    kibibytes: median(name, "kibibytes"),
    p99: median(name, "p99"),
    p99Ratio: median(name, "p99") / median("limit", "p99"),
  });
  return Object.fromEntries([...found.keys()].map((name) => [name, result(name)]));
}
