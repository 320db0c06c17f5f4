import { Limiter } from "../limiter.ts";
import type { Entry } from "./entry.ts";
import { type Outlet, put } from "./put.ts";

/** Files written at once: the log needs threads too. */
const mostWriters = 16;

/** Puts out what was acknowledged, in waves: what comes meanwhile is the next. */
export class Follower {
  readonly #outlet: Outlet;
  readonly #over: (shown: readonly Entry[]) => void;
  readonly #complain: (error: unknown) => void;
  readonly #writers = new Limiter(mostWriters);
  #waiting: Entry[] = [];
  #failed: Entry[] = [];
  #running: Promise<void> | undefined;

  /** `over` hears of each wave; `complain` of what could not be put out and is tried again at `retry`. */
  constructor(outlet: Outlet, over: (shown: readonly Entry[]) => void, complain: (error: unknown) => void) {
    this.#outlet = outlet;
    this.#over = over;
    this.#complain = complain;
  }

  add(entry: Entry): void {
    this.#waiting.push(entry);
    this.#running ??= this.#run();
  }

  /** Those that failed have another chance. */
  retry(): void {
    for (const entry of this.#failed.splice(0)) this.add(entry);
  }

  /** Whether the file system takes nothing at the moment. */
  get stuck(): boolean {
    return this.#failed.length > 0;
  }

  /** Resolves when each entry was tried. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const wave = this.#waiting.splice(0);
      const shown: Entry[] = [];
      await Promise.all(wave.map((entry) => this.#show(entry, shown)));
      if (shown.length > 0) this.#over(shown);
    }
    this.#running = undefined;
  }

  async #show(entry: Entry, shown: Entry[]): Promise<void> {
    const { content } = entry;
    if (content === undefined) return;
    try {
      await Promise.all(entry.targets.map((target) => this.#writers.run(() => put(this.#outlet, content, target))));
      entry.content = undefined;
      shown.push(entry);
    } catch (error) {
      if (!this.stuck) this.#complain(error);
      this.#failed.push(entry);
    }
  }
}
