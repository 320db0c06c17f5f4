import { Limiter } from "./limiter.ts";

/** Octets of a block that is lent again, and of one for a message that does not fit into it. */
const blockOctets = 64 * 1024;
const largeBlockOctets = 256 * 1024;

/** Blocks lent at once: as many copies are written by one server, which bounds open files and memory. */
const mostBlocks = 32;

/** Room that messages are gathered in before they are written: small ones have it one after the other. */
export class Blocks {
  readonly #free: Uint8Array[] = [];
  readonly #lent = new Limiter(mostBlocks);

  /** Lends a block for a message of so many octets until the work is done with it. */
  async lend<T>(octets: number, work: (block: Uint8Array) => Promise<T>): Promise<T> {
    await this.#lent.enter();
    const isSmall = octets < blockOctets;
    const block = isSmall ? (this.#free.pop() ?? new Uint8Array(blockOctets)) : new Uint8Array(largeBlockOctets);
    try {
      return await work(block);
    } finally {
      if (isSmall) this.#free.push(block);
      this.#lent.leave();
    }
  }
}
