import { random } from "../../core/test/laws/form.ts";
import { Features, type Reached } from "./features.ts";
import { type Pieces, written } from "./input.ts";
import { minimised } from "./minimise.ts";
import { mutated } from "./mutations.ts";
import { type Target, clock, processorClock, stallMilliseconds } from "./target.ts";

/** Something that must not be, and the smallest input found that brings it about. */
export interface Finding {
  readonly what: string;
  readonly input: string;
}

export interface Outcome {
  /** Inputs tried, those of the corpus too. */
  readonly runs: number;
  readonly seconds: number;
  /** Of them with the processor: others may use the machine. */
  readonly atWork: number;
  /** Inputs that showed something new beyond the corpus. */
  readonly fresh: number;
  readonly findings: readonly Finding[];
  readonly reached: readonly Reached[];
  /** Milliseconds of the longest step. */
  readonly longest: number;
}

export interface Plan {
  readonly seed: number;
  /** Of mutations, behind the corpus. */
  readonly milliseconds: number;
  readonly corpus: readonly Pieces[];
  /** Told before each run what it is, so that a run without an end has a name. */
  readonly about: (pieces: Pieces) => void;
}

/** The same trouble, whatever was quoted or counted. */
const kindOf = (what: string): string => what.replaceAll(/"(?:[^"\\]|\\.)*"|\d+/g, "#").slice(0, 60);

/** Milliseconds this process was at work since. */
function atWork(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const enough = 10;
const looseEnds = ["unhandledRejection", "uncaughtException"];

/** Mutates what showed something new, keeps what shows something new again: libFuzzer's loop, in small. */
export class Fuzzer {
  readonly #target: Target;
  readonly #plan: Plan;
  readonly #features = new Features();
  readonly #pick: (below: number) => number;
  readonly #findings = new Map<string, Finding>();
  readonly #loose: unknown[] = [];
  readonly #catch = (error: unknown): void => void this.#loose.push(error);
  readonly corpus: Pieces[] = [];
  #runs = 0;
  #longest = 0;

  constructor(target: Target, plan: Plan) {
    this.#target = target;
    this.#plan = plan;
    this.#pick = random(plan.seed);
    for (const event of looseEnds) process.on(event, this.#catch);
  }

  close(): void {
    for (const event of looseEnds) process.off(event, this.#catch);
  }

  async run(): Promise<Outcome> {
    const from = performance.now();
    const before = process.cpuUsage();
    for (const pieces of this.#plan.corpus) await this.#try(pieces);
    this.corpus.push(...this.#plan.corpus);
    const seeds = this.corpus.length;
    const late = performance.now() + this.#plan.milliseconds;
    const stock = {
      pick: this.#pick,
      tokens: this.#target.tokens,
      other: () => this.corpus[this.#pick(this.corpus.length)] ?? [""],
      most: this.#target.most,
    };
    while (performance.now() < late && this.#findings.size < enough) {
      const pieces = mutated(this.#parent(), stock);
      if (await this.#try(pieces)) this.corpus.push(pieces);
    }
    return {
      runs: this.#runs,
      seconds: (performance.now() - from) / 1000,
      atWork: atWork(before) / 1000,
      fresh: this.corpus.length - seeds,
      findings: [...this.#findings.values()],
      reached: this.#features.reached(),
      longest: this.#longest,
    };
  }

  /** Half of the time something that was new lately, and rather something short. */
  #parent(): Pieces {
    const { length } = this.corpus;
    const any = (): Pieces =>
      this.corpus[this.#pick(2) === 0 ? this.#pick(length) : length - 1 - this.#pick(Math.ceil(length / 8))] ?? [""];
    const chosen = any();
    // Long ones take their time: they come up half as often with each doubling
    return chosen.join("").length > this.#pick(16_384) ? any() : chosen;
  }

  /** Whether it showed something new. What is wrong with it is a finding. */
  async #try(pieces: Pieces): Promise<boolean> {
    this.#features.begin();
    const what = await this.#wrong(pieces);
    if (what !== undefined) await this.#found(what, pieces);
    return what === undefined && this.#features.fresh() > 0;
  }

  async #found(what: string, pieces: Pieces): Promise<void> {
    const kind = kindOf(what);
    if (this.#findings.has(kind)) return;
    this.#findings.set(kind, { what, input: written(pieces) });
    const smallest = await minimised(pieces, async (candidate) => {
      const its = await this.#wrong(candidate);
      return its !== undefined && kindOf(its) === kind;
    });
    this.#findings.set(kind, { what: (await this.#wrong(smallest)) ?? what, input: written(smallest) });
  }

  /** What is wrong with a run, or undefined. A stall counts when it comes back each time: once may be a collection of garbage. */
  async #wrong(pieces: Pieces): Promise<string | undefined> {
    const first = await this.#once(pieces);
    if (first.what !== undefined || first.longest <= this.#longest) return first.what;
    // Longer than any before, as the clock on the wall has it: others use this machine
    let shortest = first.longest;
    for (let time = 0; time < 3 && shortest > this.#longest; time += 1) {
      const { what, longest } = await this.#once(pieces, processorClock);
      if (what !== undefined) return what;
      shortest = Math.min(shortest, longest);
    }
    if (shortest > stallMilliseconds) return `a stall of more than ${stallMilliseconds} ms, four times of four`;
    this.#longest = Math.max(this.#longest, shortest);
    return undefined;
  }

  async #once(pieces: Pieces, watch = clock): Promise<{ what?: string; longest: number }> {
    this.#runs += 1;
    this.#plan.about(pieces);
    let longest = 0;
    try {
      longest = await this.#target.run(pieces, watch);
    } catch (error) {
      return { what: error instanceof Error ? error.message : String(error), longest };
    }
    const loose = this.#loose.splice(0);
    return loose.length > 0 ? { what: `nobody handled: ${String(loose[0])}`, longest } : { longest };
  }

  /** What is new and worth keeping: not what shows nothing that the kept corpus or a shorter one shows. */
  async worthKeeping(most: number): Promise<Pieces[]> {
    const features = new Features();
    const shows = async (pieces: Pieces): Promise<boolean> => {
      features.begin();
      const { what } = await this.#once(pieces);
      return what === undefined && features.fresh() > 0;
    };
    for (const pieces of this.#plan.corpus) await shows(pieces);
    const length = (pieces: Pieces): number => written(pieces).length;
    const fresh = this.corpus.slice(this.#plan.corpus.length).filter((pieces) => length(pieces) <= most);
    const kept: Pieces[] = [];
    for (const pieces of fresh.toSorted((one, other) => length(one) - length(other)))
      if (await shows(pieces)) kept.push(pieces);
    return kept;
  }
}
