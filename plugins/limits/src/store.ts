import { ConfigurationError, type Host, type Soon, describeError } from "@mailhost/core";
import type { Counter } from "./counter.ts";

/** What a limiter of rate-limiter-flexible is made with, as its classes take it. */
export interface StoreOptions {
  readonly keyPrefix: string;
  readonly points: number;
  /** Seconds. */
  readonly duration: number;
  /** Seconds; 0 for none. */
  readonly blockDuration: number;
}

/** What a limiter says of a key. */
interface StoreAnswer {
  readonly consumedPoints: number;
}

/** What is used of a limiter of rate-limiter-flexible. */
export interface StoreLimiter {
  /** Rejects with an answer when there were too many, with an Error when it failed. */
  consume(key: string, points: number): Promise<StoreAnswer>;
  get(key: string): Promise<StoreAnswer | null>;
}

/** Makes a limiter: `(options) => new RateLimiterRedis({ storeClient, ...options })`. */
export type StoreFactory = (options: StoreOptions) => Soon<StoreLimiter>;

/** Milliseconds a store has for an answer, and for which nobody asks it again when it had none. */
const patience = { answer: 1000, rest: 5000 };

/** Whether one store can be asked, for all counters that use it. */
export class StoreHealth {
  readonly #host: Host;
  #asksAgain = -Infinity;
  #failing = false;

  constructor(host: Host) {
    this.#host = host;
  }

  get resting(): boolean {
    return this.#host.clock.now() < this.#asksAgain;
  }

  failed(error: unknown): void {
    this.#asksAgain = this.#host.clock.now() + patience.rest;
    if (this.#failing) return;
    this.#failing = true;
    this.#host.log.error({ err: error }, `the store of limits fails: ${describeError(error)}`);
  }

  answered(): void {
    if (this.#failing) this.#host.log.info({}, "the store of limits answers again");
    this.#failing = false;
  }

  /** The answer, or the failure of whoever takes too long: a client must not wait for a store that hangs. */
  async inTime<T>(answer: Promise<T>): Promise<T> {
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) => {
      const error = new Error(`no answer within ${patience.answer} ms`);
      cancel = this.#host.clock.after(patience.answer, () => reject(error));
    });
    return Promise.race([answer, late]).finally(() => cancel());
  }
}

/** Counts in a store that servers share. While that fails, in `insurance`; without one it fails too. */
export class StoreCounter implements Counter {
  readonly #limiter: StoreLimiter;
  readonly #points: number;
  readonly #health: StoreHealth;
  readonly #insurance: Counter | undefined;

  constructor(limiter: StoreLimiter, points: number, health: StoreHealth, insurance: Counter | undefined) {
    this.#limiter = limiter;
    this.#points = points;
    this.#health = health;
    this.#insurance = insurance;
  }

  add(key: string, points: number): Soon<number> {
    return this.#ask(
      async () => {
        try {
          return (await this.#limiter.consume(key, points)).consumedPoints;
        } catch (answer) {
          // Beyond the limit it rejects with its answer, which says 0 when it blocks in memory
          if (!isAnswer(answer)) throw answer;
          return Math.max(answer.consumedPoints, this.#points + 1);
        }
      },
      (insurance) => insurance.add(key, points),
    );
  }

  read(key: string): Soon<number> {
    return this.#ask(
      async () => (await this.#limiter.get(key))?.consumedPoints ?? 0,
      (insurance) => insurance.read(key),
    );
  }

  async #ask(store: () => Promise<number>, otherwise: (insurance: Counter) => Soon<number>): Promise<number> {
    try {
      if (this.#health.resting) throw new Error("the store failed a moment ago");
      const points = await this.#health.inTime(store());
      // Somebody else's value under our key
      if (!Number.isFinite(points)) throw new TypeError("the store holds no number");
      this.#health.answered();
      return points;
    } catch (error) {
      if (!this.#health.resting) this.#health.failed(error);
      if (this.#insurance === undefined) throw error;
      return otherwise(this.#insurance);
    }
  }
}

const isAnswer = (thing: unknown): thing is StoreAnswer =>
  typeof thing === "object" &&
  thing !== null &&
  !(thing instanceof Error) &&
  "consumedPoints" in thing &&
  typeof thing.consumedPoints === "number";

/** A limiter as the factory makes it; a ConfigurationError when it makes none. */
export async function makeLimiter(factory: StoreFactory, options: StoreOptions): Promise<StoreLimiter> {
  let made: unknown;
  try {
    made = await factory(options);
  } catch (error) {
    throw misconfigured(`the function of store failed: ${describeError(error)}`);
  }
  if (isLimiter(made)) return made;
  throw misconfigured("the function of store gave no limiter of rate-limiter-flexible");
}

const isLimiter = (thing: unknown): thing is StoreLimiter =>
  typeof thing === "object" &&
  thing !== null &&
  ["consume", "get"].every((name) => typeof (thing as Record<string, unknown>)[name] === "function");

export const misconfigured = (
  what: string,
  mend = "Give it (options) => new RateLimiterRedis({ storeClient, ...options }), or a URL like redis://127.0.0.1:6379.",
): ConfigurationError => new ConfigurationError([{ code: "BAD_OPTION", where: "options.store", what, mend }]);
