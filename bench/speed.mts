// Server CPU per message, each server beside `limit` in one run: rounds interleaved, medians of the ratios and their spread.
// npm run bench [-- --quick] [--only mission,limit] [--workload kept] [--json FILE]. Server and generator have a core each.
// Connection, command and transaction limits are raised, nothing else.
import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as peers from "./peers/peers.mts";
import { idle } from "./peers/clients.mts";
import { cpu, family, resident } from "./peers/processes.mts";
import type { Done, Load } from "./speed/generator.mts";

const raised = ["--raise-counts"];
const servers: Record<string, () => Promise<peers.Peer | undefined>> = {
  limit: peers.startLimit,
  bare: () => peers.startMailhost("bare", raised),
  mission: () => peers.startMailhost("mission", raised),
  trace: () => peers.startMailhost("trace", raised),
  maildir: () => peers.startMailhost("maildir", raised),
  journal: () => peers.startMailhost("journal", raised),
  "smtp-server": peers.startSmtpServer,
  "smtp-sink": peers.startSmtpSink,
  Haraka: peers.startHaraka,
  Postfix: peers.startPostfix,
};

interface Workload extends Omit<Load, "port"> {
  /** Servers that are too slow for it, hold it back by their limits, or lack what it takes. */
  readonly without?: readonly string[];
}

const peersOnly = ["smtp-server", "smtp-sink", "Haraka", "Postfix"];

const letter = { messages: 2000, parallel: 20, kept: true, pipelined: false, recipients: 1, octets: 4096, dots: false };
const workloads: Record<string, Workload> = {
  "a connection each, 20 parallel": { ...letter, kept: false, messages: 1000 },
  "a connection each, 400 parallel": { ...letter, kept: false, parallel: 400, messages: 1500, without: ["Postfix"] },
  kept: letter,
  pipelined: { ...letter, pipelined: true, without: ["Haraka"] },
  "25 MB": { ...letter, parallel: 2, messages: 10, octets: 25_000_000, without: ["Postfix"] },
  "10 MB, every line dot-stuffed": {
    ...letter,
    parallel: 2,
    messages: 10,
    octets: 10_000_000,
    dots: true,
    without: ["Postfix"],
  },
  "100 recipients, pipelined": {
    ...letter,
    pipelined: true,
    recipients: 100,
    parallel: 4,
    messages: 200,
    without: ["Haraka", "Postfix"],
  },
  "STARTTLS, full handshake": {
    ...letter,
    session: "full",
    parallel: 8,
    messages: 1000,
    without: ["bare", ...peersOnly],
  },
  "STARTTLS, resumed": { ...letter, session: "resumed", parallel: 8, messages: 1000, without: ["bare", ...peersOnly] },
  "EHLO, AUTH PLAIN, QUIT": { ...letter, session: "auth", messages: 1500, without: ["bare", ...peersOnly] },
  "open loop, 200 messages a second": { ...letter, perSecond: 200, messages: 600, without: peersOnly },
};

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    only: { type: "string" },
    workload: { type: "string", default: "" },
    json: { type: "string" },
    check: { type: "string" },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 3 : 9));
/** Rounds that are not counted: servers run for days, and the compiler takes seconds. */
const warmUp = 3;
const wanted = values.only?.split(",") ?? Object.keys(servers);

const pin = (pid: number, core: string): void => {
  for (const one of family(pid)) execFileSync("taskset", ["-acp", core, String(one)], { stdio: "ignore" });
};

const generator = fork(join(import.meta.dirname, "speed/generator.mts"), { execArgv: ["--import", "tsx"] });

const drive = (child: ChildProcess, load: Load): Promise<Done> =>
  new Promise((resolve, reject) => {
    child.once("message", (answer) => {
      const { done, problem } = answer as { done?: Done; problem?: string }; // what the generator sends
      if (done === undefined) reject(new Error(problem));
      else resolve(done);
    });
    child.send(load);
  });

interface Figure {
  /** Server CPU, microseconds a message. */
  readonly microseconds: number;
  readonly perSecond: number;
  /** Part of a core that the server used: below 0.9 it was not the bottleneck. */
  readonly used: number;
  readonly median: number;
  readonly p99: number;
}

async function measure(peer: peers.Peer, workload: Workload): Promise<Figure> {
  const before = cpu(peer.pid);
  const { seconds, median, p99 } = await drive(generator, { ...workload, port: peer.port }).catch(
    (problem: unknown) => {
      throw new Error(`${peer.name}: ${String(problem)}`);
    },
  );
  const spent = cpu(peer.pid) - before;
  return {
    microseconds: (spent * 1000) / workload.messages,
    perSecond: workload.messages / seconds,
    used: spent / 1000 / seconds,
    median,
    p99,
  };
}

const middle = (numbers: readonly number[], part = 0.5): number =>
  numbers.toSorted((one, other) => one - other)[Math.min(numbers.length - 1, Math.floor(numbers.length * part))] ?? NaN;

const running: [string, peers.Peer][] = [];
for (const name of wanted) {
  const peer = await servers[name]?.();
  if (peer === undefined) console.error(`${name} is not here`);
  else running.push([name, peer]);
}
for (const [, peer] of running) pin(peer.pid, "0");
pin(generator.pid ?? 0, "1");

const idleConnections = 10_000;
const idleTitle = "10,000 idle connections after EHLO";

/** Memory for each of many connections that say EHLO and nothing more. A server that does not take them all is passed over. */
async function measureIdle(): Promise<void> {
  console.log(`\n${idleTitle}: resident memory for each`);
  results[idleTitle] = {};
  for (const [name, peer] of running) {
    if (name === "Postfix") continue; // a process each
    const before = resident(peer.pid);
    const held = await idle(peer.port, idleConnections);
    const each = (resident(peer.pid) - before) / idleConnections / 1024;
    held.close();
    console.log(
      held.answered === idleConnections
        ? `  ${name.padEnd(12)} ${each.toFixed(1).padStart(8)} KiB`
        : `  ${name} takes ${held.answered}`,
    );
    results[idleTitle][name] = { ratio: each, low: each, high: each };
  }
}

/** Ratios of `limit` in this run beside those of a file: more than a fifth worse is a failure. */
function check(file: string): void {
  const before = JSON.parse(readFileSync(file, "utf8")) as typeof results; // what --json wrote
  for (const [title, its] of Object.entries(results))
    for (const [name, { ratio }] of Object.entries(its)) {
      const was = before[title]?.[name]?.ratio;
      if (was === undefined || ratio <= 1.2 * was) continue;
      console.error(`${title}: ${name} was x${was.toFixed(2)} and is x${ratio.toFixed(2)}`);
      process.exitCode = 1;
    }
}

const results: Record<string, Record<string, { ratio: number; low: number; high: number }>> = {};
try {
  for (const [title, workload] of Object.entries(workloads)) {
    if (!title.includes(values.workload)) continue;
    const here = running.filter(([name]) => workload.without?.includes(name) !== true);
    const figures = new Map<string, Figure[]>(here.map(([name]) => [name, []]));
    for (let round = -warmUp; round < rounds; round += 1)
      for (let turn = 0; turn < here.length; turn += 1) {
        const [name, peer] = here[(turn + round + warmUp) % here.length] ?? [];
        if (name === undefined || peer === undefined) continue;
        const figure = await measure(peer, workload);
        if (round >= 0) figures.get(name)?.push(figure);
      }
    console.log(`\n${title}: ${rounds} rounds of ${workload.messages} messages`);
    const base = figures.get("limit")?.map(({ microseconds }) => microseconds) ?? [];
    results[title] = {};
    for (const [name, its] of figures) {
      const ratios = its.map(({ microseconds }, at) => microseconds / (base[at] ?? NaN));
      const [ratio, low, high] = [middle(ratios), middle(ratios, 0.1), middle(ratios, 0.9)];
      results[title][name] = { ratio, low, high };
      const of = (pick: (figure: Figure) => number): number => middle(its.map(pick));
      console.log(
        `  ${name.padEnd(12)} ${of((one) => one.microseconds)
          .toFixed(0)
          .padStart(8)} us  x${ratio.toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})  ${of((one) => one.perSecond)
          .toFixed(0)
          .padStart(
            6,
          )}/s  uses ${of((one) => one.used).toFixed(2)}  p50 ${of((one) => one.median).toFixed(1)} ms  p99 ${of((one) => one.p99).toFixed(1)} ms`,
      );
    }
  }
  if (idleTitle.includes(values.workload)) await measureIdle();
} finally {
  generator.disconnect();
  for (const [, peer] of running) await peer.stop();
}
if (values.check !== undefined) check(values.check);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
