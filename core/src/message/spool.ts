import type { MemoryBudget } from "./budget.ts";
import { giveRoom, pieceOctets, takeRoom } from "./pieces.ts";
import type { Soon } from "../protocol/soon.ts";
import type { SpoolFile } from "./spool-file.ts";
import type { SpoolFiles } from "./spool-files.ts";

/** Octets handed to the file in one write, and read in one read. */
const blockOctets = 256 * 1024;

/** The same of a message that has taken memory for two: to wake a thread and be woken costs as much as to write. */
const largeBlockOctets = 1024 * 1024;

/** One message may hold so much less once a quarter of the budget is taken. */
const share = 16;

/**
 * Room that pieces are copied into, first and later: a client that stuffs dots or sends octet by octet makes pieces of a
 * few octets, and an array for each would take many times what the budget knows of.
 */
const firstOctets = 1024;
const gatherOctets = 16 * 1024;
/** Behind so many rooms of that kind a body is large. */
const fewRooms = 4;

/** How a spool is read. */
interface Reading {
  readonly reuse?: boolean;
  readonly above?: Uint8Array;
}

export interface SpoolPlace {
  /** Octets one message may hold in memory: a sixteenth once a quarter of the budget is taken. */
  readonly memoryOctets: number;
  readonly budget: MemoryBudget;
  /** For what does not fit. */
  readonly files: SpoolFiles;
}

/**
 * Content on its way in, in memory up to its budget and in a file beyond; written once, read any number of times.
 * `write` never waits: ask `full`, and wait for `drained` before writing more.
 */
export class Spool {
  readonly #place: SpoolPlace;
  readonly #chunks = new Gathered();
  #held = 0; // octets in #chunks
  #taken = 0; // of the budget
  #file: SpoolFile | undefined;
  #written = 0;
  #writing: Promise<void> | undefined;
  #error: Error | undefined;
  #spilled = false;
  #block = blockOctets;
  #users = 1;
  #disposed = false;

  constructor(place: SpoolPlace) {
    this.#place = place;
  }

  /** An empty one at the same place. */
  another(): Spool {
    return new Spool(this.#place);
  }

  get octets(): number {
    return this.#written + this.#held;
  }

  /** What the file system said no with. What was written since is lost. */
  get error(): Error | undefined {
    return this.#error;
  }

  get full(): boolean {
    return this.#writing !== undefined && this.#held >= this.#block;
  }

  write(octets: Uint8Array): void {
    if (this.#error !== undefined) return;
    if (!this.#spilled && !this.#take(octets.length)) this.#beginFile();
    this.#chunks.add(octets);
    this.#held += octets.length;
    if (this.#spilled && this.#held >= this.#block) this.#spill();
  }

  #take(octets: number): boolean {
    const { budget, memoryOctets } = this.#place;
    const most = budget.taken + octets <= budget.most / 4 ? memoryOctets : memoryOctets / share;
    if (this.#held + octets > most || !budget.take(octets)) return false;
    this.#taken += octets;
    return true;
  }

  #beginFile(): void {
    this.#spilled = true;
    if (this.#taken >= 2 * largeBlockOctets) this.#block = largeBlockOctets;
  }

  /** Resolves when `full` no longer holds. Never rejects: see `error`. */
  async drained(): Promise<void> {
    while (this.full) await this.#writing;
  }

  #spill(): void {
    this.#writing ??= this.#writeOut().finally(() => {
      this.#writing = undefined;
      if (this.#held >= this.#block && this.#error === undefined) this.#spill();
    });
  }

  async #writeOut(): Promise<void> {
    try {
      this.#file ??= await this.#place.files.take();
      const chunks = this.#chunks.take();
      const octets = await this.#file.write(chunks, this.#written);
      free(chunks);
      this.#held -= octets; // what came while it was written stands behind it
      this.#written += octets;
      this.#giveBack(this.#block === largeBlockOctets ? 2 * largeBlockOctets : 0);
    } catch (error) {
      this.#error = error instanceof Error ? error : new Error(String(error));
      free(this.#chunks.take());
      this.#held = 0;
    }
  }

  #giveBack(but = 0): void {
    this.#place.budget.give(this.#taken - but);
    this.#taken = but;
  }

  /** All is where it stays, at once or when it resolves. Rejects with the file system's error. */
  finish(): Soon<void> {
    return this.#spilled || this.#writing !== undefined ? this.#finishFile() : undefined;
  }

  async #finishFile(): Promise<void> {
    await this.#settled();
    if (this.#spilled && this.#held > 0 && this.#error === undefined) await this.#writeOut();
    this.#giveBack();
    if (this.#error !== undefined) throw this.#error;
  }

  /**
   * What stands above it, and the content from `start` on. Only after `finish`. With `reuse` what is in a file is read into
   * one piece of memory.
   */
  async *read(start = 0, { reuse = false, above = none }: Reading = {}): AsyncGenerator<Uint8Array> {
    this.#users += 1;
    try {
      if (above.length > 0) yield above;
      let at = start;
      let block = none;
      while (this.#file !== undefined && at < this.#written) {
        // A reader may have transferred the one before
        if (!reuse || block.length === 0) block = new Uint8Array(Math.min(blockOctets, this.#written - at));
        const octets = await this.#file.read(block.subarray(0, this.#written - at), at);
        at += octets.length;
        yield octets;
      }
      let skip = Math.max(0, start - this.#written);
      for (const chunk of this.#chunks.all) {
        if (skip < chunk.length) yield chunk.slice(skip); // a copy: a reader may change or transfer what it gets
        skip = Math.max(0, skip - chunk.length);
      }
    } finally {
      await this.#release();
    }
  }

  /** Frees memory and file once nobody reads or writes any more. */
  dispose(): Soon<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    return this.#writing === undefined ? this.#release() : this.#settled().then(() => this.#release());
  }

  /** What came while a block was written may be the next one at once. */
  async #settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  #release(): Soon<void> {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#giveBack();
    free(this.#chunks.take());
    const file = this.#file;
    this.#file = undefined;
    return file && this.#place.files.give(file);
  }
}

const free = (chunks: readonly Uint8Array[]): void => new Set(chunks.map(({ buffer }) => buffer)).forEach(giveRoom);

/** To make an array of no octets costs as much as to make any other. */
const none = new Uint8Array(0);

/** Octets in order, copied together. */
class Gathered {
  #chunks: Uint8Array[] = [];
  /** Where small pieces are copied to, and which of its octets stand in no chunk yet. */
  #buffer = none;
  #from = 0;
  #to = 0;
  /** Made so far. */
  #rooms = 0;

  add(octets: Uint8Array): void {
    for (let at = 0; at < octets.length;) {
      if (this.#to === this.#buffer.length) this.#grow(octets.length - at);
      const room = this.#buffer.length - this.#to;
      const piece = at === 0 && octets.length <= room ? octets : octets.subarray(at, at + room);
      this.#buffer.set(piece, this.#to);
      this.#to += piece.length;
      at += piece.length;
    }
  }

  #grow(wanted: number): void {
    this.#seal();
    const least = this.#rooms === 0 ? firstOctets : gatherOctets;
    this.#buffer = takeRoom(this.#rooms < fewRooms ? Math.max(wanted, least) : pieceOctets);
    this.#rooms += 1;
    this.#from = this.#to = 0;
  }

  get all(): readonly Uint8Array[] {
    this.#seal();
    return this.#chunks;
  }

  /** Gives everything and keeps nothing. */
  take(): Uint8Array[] {
    this.#seal();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#buffer = none;
    this.#from = this.#to = 0;
    return chunks;
  }

  #seal(): void {
    if (this.#to > this.#from) this.#chunks.push(this.#buffer.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }
}
