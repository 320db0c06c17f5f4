/** Octets of the largest record: so much may stay empty at the end of a segment. */
export const mostRecordOctets = 256 * 1024;

/** Blocks of one memory: what acknowledged messages may take while their files are still to come. */
const mostBlocks = 64;

/** Empty ones that are kept. */
const spareBlocks = 8;

interface Block {
  readonly octets: Buffer;
  end: number;
  pieces: number;
}

/**
 * Memory that records are made in and files are written from. It is used again, and threads share it: a record is never
 * copied, and leaves nothing for the collector of garbage.
 */
export class Memory {
  readonly #spare: Block[] = [];
  #blocks = 0;
  #current: Block | undefined;

  /** Room for so many octets, at most those of the largest record. Undefined when all there is is in use. */
  take(octets: number): Piece | undefined {
    let block = this.#current;
    if (block === undefined || block.end + octets > block.octets.length) {
      block = this.#spare.pop() ?? this.#make();
      if (block === undefined) return undefined;
      this.#current = block;
    }
    return new Piece(this, block, octets);
  }

  #make(): Block | undefined {
    if (this.#blocks === mostBlocks) return undefined;
    this.#blocks += 1;
    return { octets: Buffer.from(new SharedArrayBuffer(mostRecordOctets)), end: 0, pieces: 0 };
  }

  /** Nothing is left in it. */
  empty(block: Block): void {
    block.end = 0;
    if (block === this.#current) return;
    if (this.#spare.length < spareBlocks) this.#spare.push(block);
    else this.#blocks -= 1;
  }
}

/** A place in memory that is somebody's own until it is given back. */
export class Piece {
  readonly octets: Buffer;
  readonly #memory: Memory;
  readonly #block: Block;

  constructor(memory: Memory, block: Block, octets: number) {
    this.#memory = memory;
    this.#block = block;
    this.octets = block.octets.subarray(block.end, block.end + octets);
    block.end += octets;
    block.pieces += 1;
  }

  /** Its first octets, which are all that was needed. */
  trim(octets: number): Buffer {
    const { end } = this.#block;
    const { byteOffset, length } = this.octets;
    if (byteOffset + length === end) this.#block.end = byteOffset + octets;
    return this.octets.subarray(0, octets);
  }

  /** Once, and not before everybody is done with it. */
  giveBack(): void {
    this.#block.pieces -= 1;
    if (this.#block.pieces === 0) this.#memory.empty(this.#block);
  }
}
