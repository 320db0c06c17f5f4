// One workload: every server in turn, round by round, in an order that changes.
import { setTimeout as sleep } from "node:timers/promises";
import { cpu, forgetPeak, peak } from "../peers/processes.mts";
import type { Peer } from "../peers/start.mts";
import type { Driver } from "./driver.mts";
import { Arrivals } from "./mailbox.mts";
import { others } from "./servers.mts";
import { type Figure, type Row, resultOf } from "./statistics.mts";
import type { Workload } from "./workloads.mts";

/** A round of a slow server has fewer messages: it takes that many seconds at most. */
const longest = 1;

/** A server has done the messages of so many rounds before one counts, in pieces, or had so many seconds. */
const warmUp = { rounds: 2, pieces: 5, seconds: 10 };

/** Messages from here on fill a disk, and are few. */
const largeOctets = 1_000_000;

async function measure(driver: Driver, peer: Peer, workload: Workload): Promise<Figure> {
  const { messages } = workload;
  const arrivals = workload.delivered === true && peer.newMail !== undefined ? new Arrivals(peer.newMail) : undefined;
  const before = cpu(peer.pid);
  const { seconds, median, p99 } = await driver.drive({ ...workload, port: peer.port });
  const arrived = await arrivals?.all(messages, workload.octets);
  await peer.settled?.();
  const spent = cpu(peer.pid) - before;
  const delivered = arrived === undefined ? {} : { delivered: arrivals?.rate(arrived) ?? NaN };
  // Where there are many they stay, or the next files would be made beside what was removed (see quiet-place.mts)
  if (arrived !== undefined && workload.octets > largeOctets) arrivals?.remove(arrived);
  return {
    microseconds: (spent * 1000) / messages,
    perSecond: messages / seconds,
    used: spent / 1000 / seconds,
    median,
    p99,
    peak: peak(peer.pid),
    ...delivered,
  };
}

interface Runner {
  readonly name: string;
  readonly peer: Peer;
  readonly rounds: Map<number, Figure>;
  messages: number;
  sent: number;
  /** CPU that is in no round yet, in milliseconds. */
  readonly from: number;
  inRounds: number;
}

/** Waits until what a journal does some time after the answer is done, and gives all CPU that was in no round. */
async function afterwards({ peer, from, inRounds }: Runner): Promise<number> {
  await sleep(45_000);
  for (let before = -1, tries = 0; cpu(peer.pid) - before > 5 && tries < 30; tries += 1) {
    before = cpu(peer.pid);
    await sleep(1000);
  }
  return cpu(peer.pid) - from - inRounds;
}

export interface Plan {
  readonly rounds: number;
  /** Waits for what is done later, too. */
  readonly patient: boolean;
}

/** Peers take part in every second round: they are slow, and no decision hangs on their second digit. */
const takesPart = (name: string, round: number): boolean => !others.has(name) || round % 2 === 0;

async function turn(driver: Driver, runner: Runner, workload: Workload): Promise<Figure> {
  const parallel = workload.parallelFor?.[runner.name] ?? workload.parallel;
  const figure = await measure(driver, runner.peer, { ...workload, parallel });
  runner.sent += workload.messages;
  runner.inRounds += (figure.microseconds * workload.messages) / 1000;
  return figure;
}

/** Servers run for weeks: the compiler is done with one before its first round. What comes at its own time comes faster. */
async function warm(driver: Driver, runner: Runner, { perSecond, ...workload }: Workload): Promise<void> {
  const { messages } = workload;
  const least = workload.parallelFor?.[runner.name] ?? workload.parallel;
  const piece = { ...workload, messages: Math.max(least, Math.ceil(messages / warmUp.pieces)) };
  const until = performance.now() + warmUp.seconds * 1000;
  let rate = 0;
  for (let sent = 0; sent < warmUp.rounds * messages && performance.now() < until; sent += piece.messages) {
    const figure = await turn(driver, runner, piece);
    rate = figure.delivered ?? figure.perSecond;
  }
  if (perSecond === undefined) runner.messages = Math.min(messages, Math.max(least, Math.floor(longest * rate)));
}

async function count(driver: Driver, runner: Runner, workload: Workload, round: number): Promise<void> {
  runner.rounds.set(round, await turn(driver, runner, { ...workload, messages: runner.messages }));
}

/** A peer that fails is told and left out from there on. Ours ends the bench. */
export async function run(
  driver: Driver,
  title: string,
  workload: Workload,
  running: ReadonlyMap<string, Peer>,
  plan: Plan,
): Promise<Row> {
  const runners = workload.servers.flatMap((name): Runner[] => {
    const peer = running.get(name);
    if (peer === undefined) return [];
    forgetPeak(peer.pid);
    const { messages } = workload;
    return [{ name, peer, rounds: new Map(), messages, sent: 0, from: cpu(peer.pid), inRounds: 0 }];
  });
  const orLeftOut = async (runner: Runner, done: Promise<void>): Promise<void> =>
    done.catch((problem: unknown) => {
      if (!others.has(runner.name)) throw new Error(`${title}: ${runner.name}: ${String(problem)}`, { cause: problem });
      console.error(`${title}: ${runner.name} is left out: ${String(problem)}`);
      runners.splice(runners.indexOf(runner), 1);
    });
  for (const runner of runners.slice()) await orLeftOut(runner, warm(driver, runner, workload));
  for (let round = 0; round < plan.rounds; round += 1)
    for (let at = 0; at < runners.length; at += 1) {
      const runner = runners[(at + round) % runners.length];
      if (runner === undefined || !takesPart(runner.name, round)) continue;
      await orLeftOut(runner, count(driver, runner, workload, round));
    }
  return rowOf(runners, workload, plan);
}

async function rowOf(runners: readonly Runner[], workload: Workload, plan: Plan): Promise<Row> {
  const base = runners.find(({ name }) => name === (workload.base ?? "limit"))?.rounds ?? new Map<number, Figure>();
  const row: Row = {};
  for (const runner of runners) {
    const result = resultOf(runner.rounds, base);
    const late = plan.patient && workload.delivered === true && runner.name === "journal";
    const later = late ? result.microseconds + ((await afterwards(runner)) * 1000) / runner.sent : undefined;
    row[runner.name] = later === undefined ? result : { ...result, later };
  }
  return row;
}
