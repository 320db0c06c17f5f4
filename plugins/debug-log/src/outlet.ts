import { type FileHandle, open } from "node:fs/promises";
import type { Writable } from "node:stream";

/** Octets that wait for a slow disk or reader; what comes on top is dropped and counted. */
export const waitingOctets = 8 * 1024 * 1024;

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
  /** Octets that may wait; `waitingOctets` unless told otherwise. */
  readonly most?: number;
}

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
  #file: Appendable;
  #waiting: string[] = [];
  #octets = 0;
  #missing = 0;
  /** The last write failed: perhaps half a line stands at the end. */
  #torn = false;
  #closed = false;
  #pumping: Promise<void> | undefined;
  #writing: Promise<void> | undefined;

  constructor(opened: () => Promise<Appendable>, file: Appendable, options: OutletOptions) {
    this.#open = opened;
    this.#file = file;
    this.#options = options;
  }

  write(line: string): void {
    if (this.#closed) return;
    const octets = Buffer.byteLength(line);
    if (this.#octets + octets > (this.#options.most ?? waitingOctets)) {
      this.#missing += 1;
      return;
    }
    this.#octets += octets;
    this.#waiting.push(line);
    this.#pumping ??= this.#pump()
      .catch(() => {}) // only a log that throws comes here, and there is nobody left to tell
      .finally(() => (this.#pumping = undefined));
  }

  async #pump(): Promise<void> {
    while (this.#waiting.length > 0 || (this.#missing > 0 && !this.#torn)) {
      const batch = this.#waiting;
      const missing = this.#missing;
      this.#waiting = [];
      this.#octets = 0;
      const notice = missing === 0 ? "" : this.#options.missing(missing);
      this.#writing = this.#append(`${this.#torn ? "\n" : ""}${notice}${batch.join("")}`).then(
        () => {
          this.#torn = false;
          this.#missing -= missing;
        },
        (error: unknown) => {
          if (!this.#torn) this.#options.failed(error);
          this.#torn = true;
          this.#missing += batch.length;
        },
      );
      await this.#writing;
    }
  }

  async #append(text: string): Promise<void> {
    await this.#file.appendFile(text);
  }

  async reopen(): Promise<void> {
    const fresh = await this.#open();
    const old = this.#file;
    this.#file = fresh;
    await this.#writing;
    await old.close();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#pumping;
    await this.#file.close();
  }
}

/** Writes to a stream that belongs to somebody else: it is never ended here. */
export function streamOutlet(stream: Writable, { missing, failed, most = waitingOctets }: OutletOptions): Outlet {
  let lost = 0;
  let reported = false;
  let closed = false;
  let writing = 0;
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
  stream.on("error", onError);
  return {
    write(line) {
      if (stream.destroyed || stream.writableEnded || stream.writableLength > most) {
        lost += 1;
        return;
      }
      writing += 1;
      stream.write(lost === 0 ? line : missing(lost) + line, written);
      lost = 0;
    },
    reopen: async () => {},
    async close() {
      closed = true;
      leave();
    },
  };
}
