import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { random } from "../../core/test/laws/form.ts";
import { Command, type Form, type Greeted, serverFolder } from "../support/command.ts";
import { RawClient } from "./client.ts";
import { Ledger } from "./ledger.ts";
import type { Letter } from "./letters.ts";

const senders = 20;

export interface Campaign {
  readonly form: Form;
  /** Acknowledged by maildir's journal, whose thread puts out the files. */
  readonly journal?: boolean;
  readonly kills: number;
  /** Acknowledged in all, at least. */
  readonly messages: number;
  readonly seed: number;
  readonly report?: (line: string) => void;
}

export interface Figures {
  readonly kills: number;
  /** Of them, while the server was starting. */
  readonly starting: number;
  readonly acknowledged: number;
  readonly copies: number;
  readonly doubles: number;
  /** Messages without an answer at a kill that were there all the same. */
  readonly unacknowledged: number;
  /** Files that kills left in `tmp`, all together. */
  readonly leftovers: number;
  readonly restarts: readonly Greeted[];
  readonly seconds: number;
  readonly problems: readonly string[];
}

const configuration = (journal: boolean): string =>
  JSON.stringify({
    name: "mx.example.com",
    listeners: [{ host: "127.0.0.1", port: 0 }],
    plugins: [
      ["addressable", { domains: ["0.example.com", "1.example.com"] }],
      ["maildir", { root: "mail", journal }],
    ],
    default: { local: "maildir" },
  });

/** Kills a server at random moments amid the work of its clients, and looks after each restart what is there. */
export async function campaign({
  form,
  journal = false,
  kills,
  messages,
  seed,
  report = () => {},
}: Campaign): Promise<Figures> {
  const folder = serverFolder("kills", { "mailhost.config.json": configuration(journal) });
  const ledger = new Ledger(join(folder, "mail"));
  const crew = Array.from({ length: senders }, (_, at) => new Sender(ledger, seed + at));
  const pick = random(seed);
  const restarts: Greeted[] = [];
  const begun = performance.now();
  const pace = new Pace(pick);
  let [starting, leftovers] = [0, 0];
  const servers = new Set<Command>();
  const start = (): Command => {
    const server = new Command(folder, { form });
    servers.add(server);
    void server.ended.then(() => servers.delete(server));
    return server;
  };
  try {
    for (let kill = 0; kill < kills || ledger.acknowledged < messages; kill += 1) {
      if (pick(10) === 0) starting += await killStarting(start(), pick(300));
      const from = performance.now();
      const server = start();
      restarts.push(await server.greets(from));
      ledger.check();
      if (ledger.problems.length > 0 || crew.some(({ problem }) => problem !== undefined)) break;
      const before = ledger.acknowledged;
      const loaded = performance.now();
      const work = crew.map((sender) => sender.work(server.ports[0] ?? 0));
      await sleep(pace.moment(messages - before, kills - kill));
      server.kill("SIGKILL");
      await Promise.all([...work, server.ended]);
      pace.worked(performance.now() - loaded, ledger.acknowledged - before);
      leftovers += ledger.leftovers;
      ledger.problems.push(...server.complaints);
      if ((kill + 1) % 10 === 0) report(progress(kill + 1, ledger, restarts, begun));
    }
    await settle(start(), ledger, crew);
  } finally {
    for (const server of servers) server.kill("SIGKILL");
    await Promise.all([...servers].map(({ ended }) => ended));
    rmSync(folder, { recursive: true, force: true });
  }
  const { acknowledged, copies, doubles, unacknowledged } = ledger;
  const problems = [...ledger.problems, ...crew.flatMap(({ problem }) => problem ?? [])];
  const seconds = (performance.now() - begun) / 1000;
  return {
    kills: restarts.length,
    starting,
    acknowledged,
    copies,
    doubles,
    unacknowledged,
    leftovers,
    restarts,
    seconds,
    problems,
  };
}

/** When a server dies: at random, and so late on average that as many as are missing are acknowledged by the last kill. */
class Pace {
  readonly #pick: (below: number) => number;
  #milliseconds = 1;
  #acknowledged = 0;
  /** On average, in milliseconds: doubled while nobody gets as far as a 250. */
  #least = 300;

  constructor(pick: (below: number) => number) {
    this.#pick = pick;
  }

  moment(missing: number, kills: number): number {
    const rate = Math.max(0.1, this.#acknowledged / this.#milliseconds);
    const mean = Math.max(this.#least, missing / Math.max(1, kills) / rate);
    return this.#pick(1000) * 0.002 * Math.min(2000, mean);
  }

  worked(milliseconds: number, acknowledged: number): void {
    this.#milliseconds += milliseconds;
    this.#acknowledged += acknowledged;
    this.#least = acknowledged === 0 ? 2 * this.#least : 300;
  }
}

async function killStarting(server: Command, milliseconds: number): Promise<number> {
  await sleep(milliseconds);
  server.kill("SIGKILL");
  await server.ended;
  return 1;
}

/** What is still to be handed in is taken, all is there, and nothing that a kill left lies in `tmp`. */
async function settle(server: Command, ledger: Ledger, crew: readonly Sender[]): Promise<void> {
  await server.listens();
  await Promise.all(crew.map((sender) => sender.finish(server.ports[0] ?? 0)));
  for (let look = 0; ledger.leftovers > 0; look += 1) {
    if (look > 100) return void ledger.problems.push(`${ledger.leftovers} files stay in tmp`);
    await sleep(50);
  }
  server.kill("SIGTERM"); // with a journal, files follow the 250
  await server.ended;
  ledger.check();
}

const progress = (kills: number, ledger: Ledger, restarts: readonly Greeted[], begun: number): string => {
  const { acknowledged, doubles, problems } = ledger;
  const seconds = ((performance.now() - begun) / 1000).toFixed(0);
  const worst = Math.max(...restarts.map(({ milliseconds }) => milliseconds)).toFixed(0);
  return `${seconds} s: ${kills} kills, ${acknowledged} acknowledged, ${doubles} doubles, ${problems.length} problems, worst restart ${worst} ms`;
};

/** Hands in one letter after the other, each again until it is acknowledged. */
class Sender {
  problem: string | undefined;
  readonly #ledger: Ledger;
  readonly #pick: (below: number) => number;
  #letter: Letter | undefined;

  constructor(ledger: Ledger, seed: number) {
    this.#ledger = ledger;
    this.#pick = random(seed);
  }

  /** Until the server is gone. */
  async work(port: number): Promise<void> {
    try {
      while (await this.#session(port, 1 + this.#pick(30)));
    } catch (error) {
      this.problem ??= String(error);
    }
  }

  /** The one that was not acknowledged. */
  async finish(port: number): Promise<void> {
    if (this.#letter !== undefined && !(await this.#session(port, 1))) this.problem ??= "the last server is gone";
  }

  /** False when the server is gone. */
  async #session(port: number, letters: number): Promise<boolean> {
    const client = new RawClient(port);
    try {
      if (!(await client.greet())) return false;
      for (let count = 0; count < letters; count += 1) {
        const letter = (this.#letter ??= this.#ledger.take());
        const manner = { pipelined: this.#pick(2) === 0, sends: () => this.#ledger.sends(letter) };
        if (!(await client.deliver(letter.recipients, letter.text, manner))) return false;
        this.#ledger.acknowledge(letter);
        this.#letter = undefined;
      }
      await client.quit();
      return true;
    } finally {
      client.leave();
    }
  }
}
