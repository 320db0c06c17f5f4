import type { Clock } from "@mailhost/core";
import { type Entry, Shelf } from "./shelf.ts";

/** What holds for the keys of one table. */
export interface Rule {
  /** More than these are too many. */
  readonly points: number;
  /** Milliseconds from the first until all are forgotten. */
  readonly duration: number;
  /** Milliseconds they are remembered once there were too many; 0 for no longer than `duration`. */
  readonly block: number;
  /** Keys that are remembered. */
  readonly keys: number;
}

/**
 * Points by key in fixed windows, as rate-limiter-flexible counts them; but in a bounded number of keys, without a timer
 * each, on the host's clock, and answered at once (docs/decisions/0016). When it is full the oldest key goes, and keys
 * that have too many go only for others that have: no flood of addresses makes it forget who is kept out.
 */
export class MemoryTable {
  readonly #clock: Clock;
  readonly #few = new Shelf();
  readonly #tooMany = new Shelf();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#few.size + this.#tooMany.size;
  }

  /** Points of the key. */
  read(key: string): number {
    return this.#find(key)?.points ?? 0;
  }

  /** Adds points; what the key has then. */
  add(key: string, points: number, rule: Rule): number {
    const now = this.#clock.now();
    const entry = this.#find(key) ?? this.#begin(key, now, rule);
    const crosses = entry.points <= rule.points && entry.points + points > rule.points;
    entry.points += points;
    if (crosses) {
      this.#few.delete(key);
      if (rule.block > 0) entry.expires = now + rule.block;
      this.#tooMany.put(entry, rule.keys, now);
    }
    return entry.points;
  }

  #begin(key: string, now: number, rule: Rule): Entry {
    const entry = { key, points: 0, expires: now + rule.duration };
    this.#few.put(entry, rule.keys, now);
    return entry;
  }

  #find(key: string): Entry | undefined {
    for (const shelf of [this.#tooMany, this.#few]) {
      const entry = shelf.get(key);
      if (entry === undefined) continue;
      if (entry.expires > this.#clock.now()) return entry;
      shelf.delete(key);
    }
    return undefined;
  }
}
