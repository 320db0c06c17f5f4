import { type Soon, soon } from "@mailhost/core";
import type { Counter } from "./counter.ts";
import { firstAnswer } from "./first-answer.ts";
import type { Keys } from "./keys.ts";

/** Whom a limit holds for. The widest first: who has a network full of addresses makes no key for each of them. */
export const whom = ["network", "address", "identity"] as const;
export type Whom = (typeof whom)[number];

/** Who had too many. */
export interface Offender {
  readonly per: Whom;
  readonly key: string;
  /** It has only now. */
  readonly first: boolean;
}

/** How many each may have, and what counts them. */
export interface Part {
  readonly per: Whom;
  readonly points: number;
  readonly counter: Counter;
}

type Question<T> = (part: Part, key: string) => Soon<T | undefined>;

/** One kind of thing, counted per network, address and identity. */
export class Limit {
  readonly #parts: readonly Part[];

  constructor(parts: readonly Part[]) {
    this.#parts = parts;
  }

  /** Counts one more for each, and stops where that is too many. */
  count(keys: Keys): Soon<Offender | undefined> {
    return this.#ask(keys, ({ per, points, counter }, key) =>
      soon(counter.add(key, 1), (counted) =>
        counted > points ? { per, key, first: counted === points + 1 } : undefined,
      ),
    );
  }

  /** Counts one more for everybody; `filled` is told who had the last one that is let through. */
  note(keys: Keys, filled: (offender: Offender) => void): Soon<void> {
    return this.#ask(keys, ({ per, points, counter }, key) =>
      soon(counter.add(key, 1), (counted) => {
        if (counted === points) filled({ per, key, first: true });
        return undefined;
      }),
    );
  }

  /** Who has no more left. Nothing is counted. */
  full(keys: Keys): Soon<Offender | undefined> {
    return this.#ask(keys, ({ per, points, counter }, key) =>
      soon(counter.read(key), (counted) => (counted >= points ? { per, key, first: false } : undefined)),
    );
  }

  #ask<T>(keys: Keys, question: Question<T>): Soon<T | undefined> {
    return firstAnswer(
      this.#parts.flatMap((part) => {
        const key = keys[part.per];
        return key === undefined ? [] : [() => question(part, key)];
      }),
    );
  }
}
