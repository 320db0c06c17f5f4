import { Limiter } from "../limiter.ts";
import { type Outlet, put } from "./put.ts";
import { type Target, contentOf } from "./record.ts";
import { settle } from "./settle.ts";

/** Which of those that were handed over failed, by their place, and why. */
export type Failures = ReadonlyMap<number, unknown>;

/** Whoever does the work on the files of mail that was acknowledged. */
export interface Hands {
  /** Puts out what the records of messages hold. Nobody reads them any more when it settles. */
  put(records: readonly Buffer[]): Promise<Failures>;
  /** Makes copies durable. Rejects with the file system's error about a folder. */
  settle(targets: readonly Target[]): Promise<Failures>;
  close(): Promise<void>;
}

/** Files written at once: the log needs threads too. */
const mostWriters = 16;

/** The work, done where this is called. */
export class OwnHands implements Hands {
  readonly #outlet: Outlet;
  readonly #writers = new Limiter(mostWriters);

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  async put(records: readonly Buffer[]): Promise<Failures> {
    const failures = new Map<number, unknown>();
    const one = async (record: Buffer, place: number): Promise<void> => {
      const content = contentOf(record);
      const write = (target: Target): Promise<void> => this.#writers.run(() => put(this.#outlet, content, target));
      // All of them: once this is answered, nobody reads the record's memory any more
      for (const done of await Promise.allSettled(content.targets.map(write)))
        if (done.status === "rejected") failures.set(place, done.reason);
    };
    await Promise.all(records.map(one));
    return failures;
  }

  async settle(targets: readonly Target[]): Promise<Failures> {
    const failures = new Map<number, unknown>();
    const copies = targets.map((target, place) => ({
      target,
      failed: (error: unknown) => void failures.set(place, error),
    }));
    await settle(this.#outlet, copies);
    return failures;
  }

  async close(): Promise<void> {}
}
