/** One of so many, counted from 0. */
export type Choose = (among: number) => number;

export const blockOctets = 4096;
const sectorOctets = 512;

/** What the disk held before. */
const stale = 0xa5;

const zeros = (): Uint8Array => new Uint8Array(blockOctets);

/** A file some of whose changes are not on the disk yet: the first of its sizes is, and the first version of each block. */
export class Draft {
  #sizes = [0];
  readonly #blocks = new Map<number, Uint8Array[]>();
  readonly #ways = new Map<number, readonly Uint8Array[]>();
  #only: Uint8Array | undefined;

  get #size(): number {
    return this.#sizes.at(-1) ?? 0;
  }

  /** Octets within one block. */
  write(at: number, octets: Uint8Array): void {
    const number = Math.floor(at / blockOctets);
    const block = Uint8Array.from(this.#latest(number));
    block.set(octets, at % blockOctets);
    this.#add(number, block);
    this.#sizes.push(Math.max(this.#size, at + octets.length));
  }

  truncate(size: number): void {
    for (const number of this.#blocks.keys()) {
      const kept = Math.max(0, size - number * blockOctets);
      if (kept < blockOctets) this.#add(number, Uint8Array.from(this.#latest(number)).fill(0, kept));
    }
    this.#sizes.push(size);
  }

  /** All of it is on the disk now. */
  settle(): void {
    this.#sizes = [this.#size];
    for (const [number, versions] of this.#blocks) this.#blocks.set(number, versions.slice(-1));
  }

  /** A length the file had since it was on the disk, and in each block something that was written there. */
  pick(choose: Choose): Uint8Array {
    if (this.#only !== undefined) return this.#only;
    const sizes = [...new Set(this.#sizes)];
    const size = sizes[choose(sizes.length)] ?? 0;
    const octets = new Uint8Array(size);
    let ways = sizes.length;
    for (let number = 0; number * blockOctets < size; number += 1) {
      const blocks = this.#waysOf(number);
      ways *= blocks.length;
      const block = blocks[choose(blocks.length)] ?? zeros();
      octets.set(block.subarray(0, size - number * blockOctets), number * blockOctets);
    }
    if (ways === 1) this.#only = octets;
    return octets;
  }

  #waysOf(number: number): readonly Uint8Array[] {
    const ways = this.#ways.get(number) ?? [...withTorn(this.#blocks.get(number) ?? [zeros()])];
    this.#ways.set(number, ways);
    return ways;
  }

  #latest(number: number): Uint8Array {
    return this.#blocks.get(number)?.at(-1) ?? zeros();
  }

  #add(number: number, block: Uint8Array): void {
    const versions = this.#blocks.get(number) ?? [zeros().fill(stale), zeros()];
    if (!isSame(versions.at(-1), block)) versions.push(block);
    this.#blocks.set(number, versions);
  }
}

const isSame = (one: Uint8Array | undefined, other: Uint8Array): boolean =>
  one !== undefined && Buffer.compare(one, other) === 0;

/** The versions of a block, and between each two the first or the last changed sector of the later in the earlier. */
function* withTorn(versions: readonly Uint8Array[]): Generator<Uint8Array> {
  for (const [index, version] of versions.entries()) {
    yield version;
    const next = versions[index + 1];
    if (next === undefined) continue;
    const [first, last] = [changed(version, next, 1), changed(version, next, -1)];
    if (first !== last) for (const at of [first, last]) yield torn(version, next, at);
  }
}

/** Where the first sector begins that differs, or with a step backwards the last. */
function changed(one: Uint8Array, other: Uint8Array, step: 1 | -1): number {
  let at = step > 0 ? 0 : blockOctets - 1;
  while (one[at] === other[at] && at >= 0 && at < blockOctets) at += step;
  return at - (at % sectorOctets);
}

function torn(version: Uint8Array, next: Uint8Array, at: number): Uint8Array {
  const block = Uint8Array.from(version);
  block.set(next.subarray(at, at + sectorOctets), at);
  return block;
}
