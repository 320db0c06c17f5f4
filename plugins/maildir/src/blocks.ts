/** Octets of a block that is lent again, and of one for a message that does not fit into it. */
const blockOctets = 64 * 1024;
const largeBlockOctets = 256 * 1024;

/** Room that messages are gathered in before they are written: small ones have it one after the other. */
export class Blocks {
  readonly #free: Uint8Array[] = [];

  /** Lends a block for a message of so many octets until the work is done with it. */
  async lend<T>(octets: number, work: (block: Uint8Array) => Promise<T>): Promise<T> {
    if (octets >= blockOctets) return work(new Uint8Array(largeBlockOctets));
    const block = this.#free.pop() ?? new Uint8Array(blockOctets);
    try {
      return await work(block);
    } finally {
      this.#free.push(block);
    }
  }
}
