import { statfs } from "node:fs/promises";
import type { Soon } from "../protocol/soon.ts";
import { SpoolFile } from "./spool-file.ts";

/** Files kept for bodies to come, and the octets of each: a longer one is closed. */
const mostKept = 4;
const mostOctets = 32 * 1024 * 1024;

/** Octets free on the disk without which nothing is kept: where room is short mail has all there is. */
const plentyOctets = 1024 * 1024 * 1024;

/** What is not used between two looks is closed. */
const lookMilliseconds = 2000;

/** What is older is closed: after thirty seconds Linux begins to write to the disk what nobody will read from there. */
const oldMilliseconds = 20_000;

interface Time {
  now(): number;
  after(milliseconds: number, call: () => void): () => void;
}

/**
 * The files of bodies that do not fit in memory. What one body has left the next one writes over: the kernel has the
 * pages already, and to make and free them takes several times as long as to write.
 */
export class SpoolFiles {
  readonly folder: string;
  readonly #time: Time;
  readonly #kept: SpoolFile[] = [];
  /** The fewest there were since the last look: so many, from the first on, nobody needs. */
  #unused = 0;
  #stopLooking: (() => void) | undefined;
  #closed = false;

  constructor(folder: string, time: Time) {
    this.folder = folder;
    this.#time = time;
  }

  /** To be written from its beginning on, and read no further than it was written: what is behind is another's mail. */
  take(): Soon<SpoolFile> {
    const file = this.#kept.pop();
    this.#unused = Math.min(this.#unused, this.#kept.length);
    return file ?? SpoolFile.open(this.folder, this.#time.now());
  }

  /** Nobody writes or reads it any more. */
  async give(file: SpoolFile): Promise<void> {
    if (!this.#wants(file) || !(await this.#isPlenty()) || !this.#wants(file)) return file.close();
    this.#kept.push(file);
    this.#stopLooking ??= this.#time.after(lookMilliseconds, this.#look);
  }

  /** Nothing is kept any more: what is in use is closed when it comes back. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopLooking?.();
    await Promise.all(this.#kept.splice(0).map((file) => file.close()));
  }

  #wants({ failed, length, openedAt }: SpoolFile): boolean {
    const old = this.#time.now() - openedAt >= oldMilliseconds;
    return !this.#closed && !failed && !old && length <= mostOctets && this.#kept.length < mostKept;
  }

  async #isPlenty(): Promise<boolean> {
    try {
      const { bavail, bsize } = await statfs(this.folder);
      return bavail * bsize >= plentyOctets;
    } catch {
      return false;
    }
  }

  readonly #look = (): void => {
    for (const file of this.#kept.splice(0, this.#unused)) void file.close();
    this.#unused = this.#kept.length;
    this.#stopLooking = this.#unused > 0 ? this.#time.after(lookMilliseconds, this.#look) : undefined;
  };
}
