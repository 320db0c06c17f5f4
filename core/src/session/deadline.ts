import type { Clock } from "../host/services.ts";

/**
 * One timer for one session. Moving the deadline costs a number: the timer looks at it when it fires
 * and goes to sleep again when there is time left.
 */
export class Deadline {
  readonly #clock: Clock;
  readonly #passed: () => void;
  #at = Infinity;
  #cancel: (() => void) | undefined;
  #firesAt = Infinity;

  constructor(clock: Clock, passed: () => void) {
    this.#clock = clock;
    this.#passed = passed;
  }

  /** Milliseconds since the epoch; Infinity for none. */
  set(at: number): void {
    this.#at = at;
    if (at < this.#firesAt) this.#arm();
  }

  stop(): void {
    this.#at = Infinity;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#firesAt = Infinity;
  }

  #arm(): void {
    this.#cancel?.();
    this.#firesAt = this.#at;
    this.#cancel = this.#clock.after(Math.max(0, this.#at - this.#clock.now()), () => this.#look());
  }

  #look(): void {
    this.#firesAt = Infinity;
    this.#cancel = undefined;
    if (this.#at === Infinity) return;
    if (this.#clock.now() >= this.#at) this.#passed();
    else this.#arm();
  }
}
