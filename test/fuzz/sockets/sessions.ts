import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { random } from "../../../core/test/laws/form.ts";
import { end, hear } from "../../bounds/serving.ts";
import { readCorpus } from "../corpus.ts";
import { type Pieces, written } from "../input.ts";
import { mutated } from "../mutations.ts";
import { dialogueTokens } from "../targets/tokens.ts";
import type { ServerReport } from "./server.ts";
import { type Layer, type Ports, hold } from "./session.ts";

export interface SessionsOutcome {
  readonly sessions: number;
  readonly seconds: number;
  /** Whole replies that were read. */
  readonly replies: number;
  /** Messages that were stored. */
  readonly messages: number;
  /** Milliseconds the server's event loop was late at most, others on this machine included. */
  readonly worst: number;
  readonly problems: readonly string[];
  /** Descriptors and octets of heap more than after the first sessions. */
  readonly descriptors: number;
  readonly heap: number;
}

const atOnce = 40;
const perBatch = 250;
/** What is loaded and cached on first use is no leak. */
const warm = 2;
const mostHeap = 16 * 1024 * 1024;

interface Session {
  readonly layer: Layer;
  readonly pieces: Pieces;
}

/** The same sessions for the same seed. */
function sessionsOf(seed: number, count: number, corpus: readonly Pieces[]): Session[] {
  const pick = random(seed);
  const other = (): Pieces => corpus[pick(corpus.length)] ?? [""];
  const stock = { pick, tokens: dialogueTokens, other, most: 40_000 };
  const layers: readonly Layer[] = ["starttls", "implicit"];
  return Array.from({ length: count }, () => ({
    layer: layers[pick(20)] ?? "clear",
    pieces: mutated(other(), stock),
  }));
}

/** A server in a process of its own, and everything that went wrong with it. */
class Trial {
  readonly problems: string[] = [];
  readonly mail = mkdtempSync(join(tmpdir(), "mailhost-fuzz-"));
  readonly #child: ChildProcess;
  #ports: Ports = { plain: 0, tls: 0 };
  replies = 0;
  worst = 0;

  constructor() {
    this.#child = fork(join(import.meta.dirname, "server.ts"), [this.mail], {
      execArgv: ["-C", "@mailhost/source", "--import", "tsx", "--expose-gc"],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
  }

  async start(): Promise<void> {
    const { listening } = await hear<ServerReport>(this.#child);
    const portOf = (name: string): number => listening.find(({ listener }) => listener === name)?.port ?? 0;
    this.#ports = { plain: portOf("plain"), tls: portOf("tls") };
  }

  /** Rejects when the server is no more. */
  report(): Promise<ServerReport> {
    this.#child.send("report");
    return hear<ServerReport>(this.#child);
  }

  /** Stalls there were in which the server was at work. */
  async batch(sessions: readonly Session[]): Promise<readonly number[]> {
    const left = sessions.values();
    const client = async (): Promise<void> => {
      for (const { layer, pieces } of left) {
        const { problem, replies } = await hold(this.#ports, layer, pieces);
        this.replies += replies;
        if (problem !== undefined) this.problems.push(`${problem}: ${layer} ${written(pieces)}`);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, client));
    const { worst, stalls } = await this.report();
    this.worst = Math.max(this.worst, worst);
    return stalls;
  }

  /** A message by the book is still taken, and is there. */
  async ordinary(): Promise<void> {
    const mark = `the last of ${this.replies}`;
    const pieces = ["EHLO a\r\n", "MAIL FROM:<>\r\n", "RCPT TO:<last@example.com>\r\n", "DATA\r\n", `${mark}\r\n.\r\n`];
    await hold(this.#ports, "clear", [...pieces.flatMap((piece) => [piece, "~wait"]), "QUIT\r\n"]);
    const box = join(this.mail, "example.com/last/new");
    const found = readdirSync(box).some((name) => readFileSync(join(box, name), "latin1").includes(mark));
    if (!found) this.problems.push("an ordinary message is not taken any more");
  }

  /** Messages that were stored. */
  get messages(): number {
    return readdirSync(this.mail, { recursive: true, encoding: "utf8" }).filter((path) => /\/new\/./.test(path)).length;
  }

  async close(): Promise<void> {
    await end(this.#child);
    rmSync(this.mail, { recursive: true, force: true });
  }
}

/** Holds so many mutated sessions over real sockets, and looks after each few hundred how the server is. */
export async function fuzzSockets(
  count: number,
  seed: number,
  corpus = readCorpus(join(import.meta.dirname, "../corpus"), "dialogue"),
): Promise<SessionsOutcome> {
  const trial = new Trial();
  await trial.start();
  const from = performance.now();
  let sessions = 0;
  let base = await trial.report();
  try {
    for (let batch = 0; sessions < count && trial.problems.length < 10; batch += 1) {
      const these = sessionsOf(seed + batch, Math.min(perBatch, count - sessions), corpus);
      let stalls = await trial.batch(these);
      // Once may be a collection of garbage; what comes back each time is a client's doing
      for (let again = 0; again < 3 && stalls.length > 0; again += 1) stalls = await trial.batch(these);
      if (stalls.length > 0)
        trial.problems.push(`stalls of ${stalls.join(", ")} ms, each time, with seed ${seed + batch}`);
      sessions += these.length;
      if (batch < warm) base = await trial.report();
    }
    await trial.ordinary();
    return await concluded(trial, base, sessions, (performance.now() - from) / 1000);
  } finally {
    await trial.close();
  }
}

async function concluded(
  trial: Trial,
  base: ServerReport,
  sessions: number,
  seconds: number,
): Promise<SessionsOutcome> {
  const last = await trial.report();
  const descriptors = last.descriptors - base.descriptors;
  const heap = last.heap - base.heap;
  const problems = [...trial.problems, ...last.loose, ...last.errors];
  if (descriptors > 0) problems.push(`${descriptors} descriptors are left open`);
  if (heap > mostHeap) problems.push(`${(heap / 1024 / 1024).toFixed(1)} MiB of heap are left`);
  const { replies, messages, worst } = trial;
  return { sessions, seconds, replies, messages, worst, problems, descriptors, heap };
}
