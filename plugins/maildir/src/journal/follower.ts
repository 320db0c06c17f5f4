import type { Staged } from "./entry.ts";
import type { Failures, Hands } from "./hands.ts";

/** Octets of the records that are handed over at once: what comes meanwhile waits, and so does whoever makes files durable. */
const mostAtOnce = 256 * 1024;

/** Puts out what was acknowledged, in waves: what comes meanwhile is the next. */
export class Follower {
  readonly #hands: Hands;
  readonly #over: (shown: readonly Staged[]) => void;
  readonly #complain: (error: unknown) => void;
  #waiting: Staged[] = [];
  #failed: Staged[] = [];
  #running: Promise<void> | undefined;

  /** `over` hears of each wave; `complain` of what could not be put out and is tried again at `retry`. */
  constructor(hands: Hands, over: (shown: readonly Staged[]) => void, complain: (error: unknown) => void) {
    this.#hands = hands;
    this.#over = over;
    this.#complain = complain;
  }

  add(staged: Staged): void {
    this.#waiting.push(staged);
    this.#running ??= this.#run();
  }

  /** Those that failed have another chance. */
  retry(): void {
    for (const staged of this.#failed.splice(0)) this.add(staged);
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
    while (this.#waiting.length > 0) await this.#show(this.#take());
    this.#running = undefined;
  }

  #take(): Staged[] {
    let octets = 0;
    const first = this.#waiting.findIndex(({ record }) => (octets += record.length) > mostAtOnce);
    return this.#waiting.splice(0, first < 0 ? this.#waiting.length : Math.max(1, first));
  }

  async #show(wave: readonly Staged[]): Promise<void> {
    const failures = await this.#put(wave.map(({ record }) => record));
    const shown: Staged[] = [];
    for (const [place, staged] of wave.entries()) {
      if (failures.has(place)) {
        if (!this.stuck) this.#complain(failures.get(place));
        this.#failed.push(staged);
        continue;
      }
      staged.entry.isOut = true;
      shown.push(staged);
    }
    if (shown.length > 0) this.#over(shown);
  }

  async #put(records: readonly Buffer[]): Promise<Failures> {
    try {
      return await this.#hands.put(records);
    } catch (error) {
      return new Map(records.map((_, place) => [place, error]));
    }
  }
}
