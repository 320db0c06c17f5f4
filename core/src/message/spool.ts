import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { MemoryBudget } from "./budget.ts";
import { giveBack } from "./give-back.ts";
import type { Soon } from "./soon.ts";

/** Octets handed to the file in one write, and read in one read. */
const blockOctets = 256 * 1024;

/**
 * Room that pieces are copied into, first and later: a client that stuffs dots or sends octet by octet makes pieces of a
 * few octets, and an array for each would take many times what the budget knows of.
 */
const pieceOctets = 1024;
const gatherOctets = 16 * 1024;

export interface SpoolPlace {
  /** Octets one message may hold in memory. */
  readonly memoryOctets: number;
  readonly budget: MemoryBudget;
  /** Folder for what does not fit. The file has no name once it is open, so a crash leaves nothing. */
  readonly folder: string;
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
  #file: FileHandle | undefined;
  #written = 0;
  #writing: Promise<void> | undefined;
  #error: Error | undefined;
  #spilled = false;
  #users = 1;

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
    return this.#writing !== undefined && this.#held >= blockOctets;
  }

  write(octets: Uint8Array): void {
    if (this.#error !== undefined) return;
    if (!this.#spilled && (this.#held + octets.length > this.#place.memoryOctets || !this.#take(octets.length)))
      this.#spilled = true;
    this.#chunks.add(octets);
    this.#held += octets.length;
    if (this.#spilled && this.#held >= blockOctets) this.#spill();
  }

  #take(octets: number): boolean {
    if (!this.#place.budget.take(octets)) return false;
    this.#taken += octets;
    return true;
  }

  /** Resolves when `full` no longer holds. Never rejects: see `error`. */
  async drained(): Promise<void> {
    while (this.full) await this.#writing;
  }

  #spill(): void {
    this.#writing ??= this.#writeOut().finally(() => {
      this.#writing = undefined;
      if (this.#held >= blockOctets && this.#error === undefined) this.#spill();
    });
  }

  async #writeOut(): Promise<void> {
    try {
      this.#file ??= await openNameless(this.#place.folder);
      const chunks = this.#chunks.take();
      const octets = await writeAll(this.#file, chunks, this.#written);
      free(chunks);
      this.#held -= octets; // what came while it was written stands behind it
      this.#written += octets;
      this.#giveBack();
    } catch (error) {
      this.#error = error instanceof Error ? error : new Error(String(error));
      free(this.#chunks.take());
      this.#held = 0;
    }
  }

  #giveBack(): void {
    this.#place.budget.give(this.#taken);
    this.#taken = 0;
  }

  /** All is where it stays, at once or when it resolves. Rejects with the file system's error. */
  finish(): Soon<void> {
    return this.#spilled || this.#writing !== undefined ? this.#finishFile() : undefined;
  }

  async #finishFile(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#spilled && this.#held > 0 && this.#error === undefined) await this.#writeOut();
    if (this.#error !== undefined) throw this.#error;
  }

  /** The content from `start` on. Only after `finish`. */
  async *read(start = 0): AsyncGenerator<Uint8Array> {
    this.#users += 1;
    try {
      let at = start;
      while (this.#file !== undefined && at < this.#written) {
        const buffer = new Uint8Array(Math.min(blockOctets, this.#written - at));
        const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) throw new Error("the spool file is shorter than what was written to it");
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
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

  /** Frees memory and file once nobody reads any more. */
  dispose(): Soon<void> {
    return this.#writing === undefined ? this.#release() : this.#writing.then(() => this.#release());
  }

  #release(): Soon<void> {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#giveBack();
    free(this.#chunks.take());
    const file = this.#file;
    this.#file = undefined;
    // The file has no name: what cannot be closed cannot be lost either, and changes no answer
    return file?.close().catch(() => {});
  }
}

const free = (chunks: readonly Uint8Array[]): void => chunks.forEach(({ buffer }) => giveBack(buffer));

async function openNameless(folder: string): Promise<FileHandle> {
  const path = join(folder, `mailhost-${randomUUID()}`);
  let file: FileHandle | undefined;
  try {
    file = await open(path, "wx+", 0o600);
    await unlink(path);
    return file;
  } catch (error) {
    await file?.close().catch(() => {});
    await unlink(path).catch(() => {}); // it may be there although its making failed, and the name is nobody else's
    throw error;
  }
}

/** Gives how many octets there were. */
async function writeAll(file: FileHandle, chunks: readonly Uint8Array[], position: number): Promise<number> {
  let left = chunks;
  let at = 0;
  while (left.length > 0) {
    const { bytesWritten } = await file.writev(left, position + at);
    if (bytesWritten === 0) throw new Error("the spool file takes no more"); // or this would go on for ever
    at += bytesWritten;
    left = behind(left, bytesWritten);
  }
  return at;
}

/** What is left of the chunks when so many octets of them are done. */
function behind(chunks: readonly Uint8Array[], octets: number): Uint8Array[] {
  let done = octets;
  return chunks.flatMap((chunk) => {
    const its = Math.min(done, chunk.length);
    done -= its;
    return its === chunk.length ? [] : [chunk.subarray(its)];
  });
}

/** Octets in order, copied together. */
class Gathered {
  #chunks: Uint8Array[] = [];
  /** Where small pieces are copied to, and which of its octets stand in no chunk yet. */
  #buffer = new Uint8Array(0);
  #from = 0;
  #to = 0;

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
    this.#buffer = new Uint8Array(Math.max(wanted, this.#chunks.length === 0 ? pieceOctets : gatherOctets));
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
    this.#buffer = new Uint8Array(0);
    this.#from = this.#to = 0;
    return chunks;
  }

  #seal(): void {
    if (this.#to > this.#from) this.#chunks.push(this.#buffer.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }
}
