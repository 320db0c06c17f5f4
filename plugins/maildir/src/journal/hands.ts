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
  /** Names of copies that are out while others of their message are not: those alone are tried again. */
  readonly #out = new Set<string>();

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  async put(records: readonly Buffer[]): Promise<Failures> {
    const failures = new Map<number, unknown>();
    const one = async (record: Buffer, place: number): Promise<void> => {
      const content = contentOf(record);
      const write = async (target: Target): Promise<void> => {
        if (this.#out.has(target.name)) return;
        await this.#writers.run(() => put(this.#outlet, content, target));
        this.#out.add(target.name);
      };
      // All of them: once this is answered, nobody reads the record's memory any more
      const tried = await Promise.allSettled(content.targets.map(write));
      const failure = tried.find(({ status }) => status === "rejected");
      if (failure?.status === "rejected") failures.set(place, failure.reason);
      else for (const { name } of content.targets) this.#out.delete(name);
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
