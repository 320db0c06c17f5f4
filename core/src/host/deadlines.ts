import type { Clock } from "./services.ts";
import { type Enrolled, Roll } from "./roll.ts";

/** Something that is late from a time on, unless it moves that time. */
export interface Due extends Enrolled {
  /** Milliseconds since the epoch; Infinity for never. */
  readonly dueAt: number;
  /** It is late. Called again until it leaves or moves its time. */
  overdue(): void;
}

/** Milliseconds between two looks for each who waits: looking takes less than a thousandth of the time. */
const restMilliseconds = 0.02;

/**
 * One timer for all who wait. Moving a deadline costs a number: the timer looks when the first one is due, and goes to
 * sleep again for as long as there is time. With ten thousand who wait the last may be told a fifth of a second late.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #waiting = new Roll<Due>();
  #firesAt = Infinity;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(one: Due): void {
    this.#waiting.add(one);
    this.moved(one);
  }

  /** To be told when a time came nearer. */
  moved({ dueAt }: Due): void {
    if (dueAt < this.#firesAt) this.#arm(dueAt);
  }

  /** Harmless for one that is not there. */
  delete(one: Due): void {
    this.#waiting.delete(one);
    if (this.#waiting.size === 0) this.#disarm();
  }

  #arm(at: number): void {
    this.#disarm();
    this.#firesAt = at;
    this.#cancel = this.#clock.after(Math.max(0, at - this.#clock.now()), () => this.#look());
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#firesAt = Infinity;
  }

  #look(): void {
    this.#disarm();
    const now = this.#clock.now();
    for (const one of this.#waiting) if (one.dueAt <= now && this.#waiting.has(one)) one.overdue();
    let next = Infinity;
    for (const { dueAt } of this.#waiting) next = Math.min(next, dueAt);
    if (next !== Infinity) this.#arm(Math.max(next, now + restMilliseconds * this.#waiting.size));
  }
}
