import type { LiveGeneration } from "../host/generation.ts";

/** Milliseconds for what still counts as a session when every socket is closed: a delivery that never settles. */
const patience = 1000;

/** What is in force no longer and is waited for: generations for their last sessions, listeners for their last connections. */
export class Retirement {
  readonly #work = new Set<Promise<void>>();
  readonly #generations = new Set<LiveGeneration>();

  /** Resolves when their sessions are over and what their plugins opened is closed. */
  retire(generations: readonly LiveGeneration[]): Promise<void> {
    for (const generation of generations) this.#generations.add(generation);
    const leave = async (generation: LiveGeneration): Promise<void> => {
      await generation.retire();
      this.#generations.delete(generation);
    };
    const retired = Promise.all(generations.map(leave)).then(() => {});
    this.waitFor(retired);
    return retired;
  }

  waitFor(work: Promise<void>): void {
    this.#work.add(work);
    void work.finally(() => this.#work.delete(work));
  }

  /** Resolves when all that retires now has retired. */
  async over(): Promise<void> {
    await Promise.all(this.#work);
  }

  /** The same when every socket is closed: generations are not waited for without end. */
  async overSoon(): Promise<void> {
    const giveUp = setTimeout(() => this.#generations.forEach((generation) => generation.giveUp()), patience);
    await this.over();
    clearTimeout(giveUp);
  }
}
