import { type FileHandle, open } from "node:fs/promises";
import type { Writable } from "node:stream";

/** Characters that wait for a slow disk or reader; what comes on top is dropped and counted. */
export const mostWaiting = 8 * 1024 * 1024;

/** A write costs more than a hundred lines do: they wait for each other until they are so many characters, */
const batchLength = 256 * 1024;

/** and no longer than these milliseconds. */
const batchMilliseconds = 10;

/** Where lines go. Nothing it does is waited for, and nothing that goes wrong reaches the dialogue. */
export interface Outlet {
  write(line: string): void;
  /** Opens the file anew, for a rotated log. Rejects when it cannot, and goes on with the old one. */
  reopen(): Promise<void>;
  /** Resolves when everything was written or given up. */
  close(): Promise<void>;
}

export interface OutletOptions {
  /** Line that says how many lines are missing. */
  readonly missing: (lines: number) => string;
  /** Called at the first failure, and again only after something was written in between. */
  readonly failed: (error: unknown) => void;
  /** Characters that may wait; `mostWaiting` unless told otherwise. */
  readonly most?: number;
}

/** Lines put together, up to a bound; those for which there was no room are counted where they are missing. */
class Batch {
  text = "";
  /** Those in it and those missing behind it. */
  lines = 0;
  #missing = 0;
  #settled = 0;
  readonly #tell: OutletOptions["missing"];

  constructor(tell: OutletOptions["missing"]) {
    this.#tell = tell;
  }

  add(line: string, room: number): void {
    this.lines += 1;
    if (this.text.length + line.length > room) this.#missing += 1;
    else if (this.#missing === 0) this.text += line;
    else this.text = this.#whole() + line;
    if (this.text.length > this.#settled + batchLength) this.#settle();
  }

  /** Until then what was added hangs together by objects that take more room than the lines: asked for a character, V8 makes one string of them. */
  #settle(): void {
    this.text.charCodeAt(0);
    this.#settled = this.text.length;
  }

  /** What was put together; it begins anew. */
  take(): { readonly text: string; readonly lines: number } {
    const taken = { text: this.#whole(), lines: this.lines };
    this.text = "";
    this.lines = 0;
    this.#settled = 0;
    return taken;
  }

  #whole(): string {
    const notice = this.#missing === 0 ? "" : this.#tell(this.#missing);
    this.#missing = 0;
    return this.text + notice;
  }
}

/** Appends to a file, one write at a time. Only its owner can read it: it holds mail. */
export async function fileOutlet(path: string, options: OutletOptions): Promise<Outlet> {
  const opened = (): Promise<FileHandle> => open(path, "a", 0o600);
  return new FileOutlet(opened, await opened(), options);
}

/** What is appended to: the part of a FileHandle that is used. */
export type Appendable = Pick<FileHandle, "appendFile" | "close">;

const encoder = new TextEncoder();

export class FileOutlet implements Outlet {
  readonly #open: () => Promise<Appendable>;
  readonly #options: OutletOptions;
  readonly #batch: Batch;
  readonly #octets = Buffer.allocUnsafeSlow(batchLength);
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
    this.#batch = new Batch(options.missing);
  }

  write(line: string): void {
    if (this.#closed) return;
    this.#batch.add(line, this.#options.most ?? mostWaiting);
    if (this.#batch.text.length >= batchLength) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), batchMilliseconds);
  }

  /** Begins to write what waits, unless a write is under way: its end looks again. */
  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#writing !== undefined || this.#batch.lines === 0) return;
    const { text, lines } = this.#batch.take();
    const lost = this.#lost;
    const notice = lost === 0 ? "" : `\n${this.#options.missing(lost)}`;
    const failed = (error: unknown): void => {
      this.#lost += lines;
      if (lost === 0) this.#options.failed(error);
    };
    this.#writing = this.#append(notice + text)
      .then(() => void (this.#lost -= lost), failed)
      .catch(() => {}) // only a log that throws comes here, and there is nobody left to tell
      .then(() => {
        this.#writing = undefined;
        if (this.#timer === undefined) this.#flush();
      });
  }

  /** Piece by piece through the same octets, however much has come together. */
  async #append(text: string): Promise<void> {
    const file = this.#file;
    for (let rest = text; rest !== "";) {
      const { read, written } = encoder.encodeInto(rest, this.#octets);
      rest = rest.slice(read);
      await file.appendFile(this.#octets.subarray(0, written));
    }
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

/** Writes to a stream that belongs to somebody else: it is never ended here. Lines of one tick are one write. */
export function streamOutlet(stream: Writable, { missing, failed, most = mostWaiting }: OutletOptions): Outlet {
  const batch = new Batch(missing);
  let reported = false;
  let closed = false;
  let writing = 0;
  let due = false;
  const onError = (error: unknown): void => {
    if (!reported) failed(error);
    reported = true;
  };
  /** What was written last may still fail, a moment after it was told so: without a listener that ends the process. */
  const leave = (): void => {
    if (closed && writing === 0) setImmediate(() => stream.off("error", onError));
  };
  const written = (): void => {
    writing -= 1;
    leave();
  };
  const takes = (): boolean => !stream.destroyed && !stream.writableEnded && stream.writableLength <= most;
  const flush = (): void => {
    due = false;
    if (batch.lines === 0 || !takes()) return;
    writing += 1;
    stream.write(batch.take().text, written);
  };
  stream.on("error", onError);
  return {
    write(line) {
      batch.add(line, takes() ? most : 0);
      if (batch.text.length >= batchLength) flush();
      if (due) return;
      due = true;
      queueMicrotask(flush);
    },
    reopen: async () => {},
    async close() {
      flush();
      closed = true;
      leave();
    },
  };
}
