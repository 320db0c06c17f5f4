/** Milliseconds; `most` counts senders. */
export interface Rules {
  /** Before this has passed, a stranger comes too early. */
  readonly wait: number;
  /** After this, it is a stranger again: it did not come back in time. */
  readonly window: number;
  /** So long somebody is known who is not heard of. */
  readonly keep: number;
  /** Of those who wait, and of those who are known: the oldest have to go. */
  readonly most: number;
}

/** Milliseconds within which real servers have come again. */
const patience = 60 * 60_000;

/** Who was told to come again, and who did. */
export class Memory {
  /** When each was met first. The oldest comes first, in both. */
  readonly waiting = new Map<string, number>();
  /** When each was met last. */
  readonly known = new Map<string, number>();
  /** Rises with everything that is learnt. */
  changes = 0;

  /** Milliseconds the sender had to wait, 0 for one that is known; undefined when it has to come again. */
  meet(key: string, now: number, { wait, window, keep, most }: Rules): number | undefined {
    const last = this.known.get(key);
    if (last !== undefined && now - last <= keep) {
      this.#note(this.known, key, now, most);
      return 0;
    }
    const first = this.waiting.get(key);
    // One that knocks again too early keeps its time: real servers do knock early
    if (first !== undefined && first <= now && now - first < wait) return undefined;
    if (first === undefined || first > now || now - first > window) {
      // In a flood the oldest would be pushed out before it can come again, for ever: then nobody is told to
      const [oldest = now] = this.waiting.values();
      if (this.waiting.size >= most && now - oldest < patience) return 0;
      this.#note(this.waiting, key, now, most);
      return undefined;
    }
    this.waiting.delete(key);
    this.#note(this.known, key, now, most);
    return now - first;
  }

  /** Puts it behind the others; what is too much goes from the front. */
  #note(times: Map<string, number>, key: string, now: number, most: number): void {
    this.changes += 1;
    times.delete(key);
    times.set(key, now);
    for (const oldest of times.keys()) {
      if (times.size <= most) return;
      times.delete(oldest);
    }
  }
}
