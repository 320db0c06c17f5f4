import { type FileHandle, open } from "node:fs/promises";
import { Lines } from "./lines.ts";
import { type Outlet, type OutletOptions, mostWaiting } from "./outlet.ts";

/** A write costs more than a hundred lines do: they wait for each other until they fill this many octets, */
const chunkOctets = 256 * 1024;

/** and no longer than these milliseconds. */
const longestWait = 10;

/** Characters that are encoded at once. Strings that hang together take far more room than their lines, and more time the older they are. */
const encodedAtOnce = 4096;

/** Appends to a file, one write at a time. Only its owner can read it: it holds mail. */
export async function fileOutlet(path: string, options: OutletOptions): Promise<Outlet> {
  const opened = (): Promise<FileHandle> => open(path, "a", 0o600);
  return new FileOutlet(opened, await opened(), options);
}

/** What is appended to: the part of a FileHandle that is used. */
export type Appendable = Pick<FileHandle, "appendFile" | "close">;

export class FileOutlet implements Outlet {
  readonly #open: () => Promise<Appendable>;
  readonly #options: OutletOptions;
  readonly #most: number;
  readonly #lines: Lines;
  #chunks = new Chunks();
  /** Written by now, filled next. */
  #spare = new Chunks();
  #file: Appendable;
  #timer: NodeJS.Timeout | undefined;
  /** Lines of writes that failed; perhaps half a one stands at the end of the file. */
  #lost = 0;
  #closed = false;
  #writing: Promise<void> | undefined;

  constructor(opened: () => Promise<Appendable>, file: Appendable, options: OutletOptions) {
    this.#open = opened;
    this.#file = file;
    this.#options = options;
    this.#most = options.most ?? mostWaiting;
    this.#lines = new Lines(options.missing);
  }

  write(line: string): void {
    if (this.#closed) return;
    this.#lines.add(line, this.#most - this.#chunks.octets);
    if (this.#lines.text.length >= encodedAtOnce) this.#chunks.add(this.#lines.cut());
    if (this.#chunks.octets >= chunkOctets) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), longestWait);
  }

  /** Begins to write what waits, unless a write is under way: its end looks again. */
  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#writing !== undefined || this.#lines.count === 0) return;
    const { text, count } = this.#lines.take();
    const chunks = this.#chunks;
    chunks.add(text);
    this.#chunks = this.#spare;
    const lost = this.#lost;
    const failed = (error: unknown): void => {
      this.#lost += count;
      if (lost === 0) this.#options.failed(error);
    };
    this.#writing = this.#append(lost === 0 ? "" : `\n${this.#options.missing(lost)}`, chunks)
      .then(() => void (this.#lost -= lost), failed)
      .catch(() => {}) // only a log that throws comes here, and there is nobody left to tell
      .then(() => {
        chunks.clear();
        this.#spare = chunks;
        this.#writing = undefined;
        if (this.#timer === undefined) this.#flush();
      });
  }

  async #append(notice: string, chunks: Chunks): Promise<void> {
    const file = this.#file;
    if (notice !== "") await file.appendFile(notice);
    for (const octets of chunks.filled()) await file.appendFile(octets);
  }

  async reopen(): Promise<void> {
    const fresh = await this.#open();
    this.#flush();
    const old = this.#file;
    this.#file = fresh;
    await this.#writing;
    await old.close();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (this.#flush(); this.#writing !== undefined; this.#flush()) await this.#writing;
    await this.#file.close();
  }
}

const encoder = new TextEncoder();

/** Octets of text in pieces of one size. The first is kept and filled again, so that nothing is allocated while the disk keeps up. */
class Chunks {
  octets = 0;
  readonly #first = Buffer.allocUnsafeSlow(chunkOctets);
  #full: Buffer[] = [];
  #last = this.#first;
  #used = 0;

  add(text: string): void {
    for (let rest = text; rest !== "";) {
      const { read, written } = encoder.encodeInto(rest, this.#last.subarray(this.#used));
      this.#used += written;
      this.octets += written;
      rest = rest.slice(read);
      if (rest !== "") this.#grow();
    }
  }

  #grow(): void {
    this.#full.push(this.#last.subarray(0, this.#used));
    this.#last = Buffer.allocUnsafeSlow(chunkOctets);
    this.#used = 0;
  }

  filled(): Buffer[] {
    return [...this.#full, this.#last.subarray(0, this.#used)];
  }

  clear(): void {
    this.octets = 0;
    this.#full = [];
    this.#last = this.#first;
    this.#used = 0;
  }
}
