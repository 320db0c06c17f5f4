import type { Writable } from "node:stream";
import { Lines } from "./lines.ts";

/** Octets that wait for a slow disk or reader; what comes on top is dropped and counted. */
export const mostWaiting = 8 * 1024 * 1024;

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
  /** Octets that may wait; `mostWaiting` unless told otherwise. */
  readonly most?: number;
}

/** Characters that go out before their tick is over. */
const writtenAtOnce = 64 * 1024;

/** Writes to a stream that belongs to somebody else: it is never ended here. Lines of one tick are one write. */
export function streamOutlet(stream: Writable, { missing, failed, most = mostWaiting }: OutletOptions): Outlet {
  const lines = new Lines(missing);
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
    if (lines.count === 0 || !takes()) return;
    writing += 1;
    stream.write(lines.take().text, written);
  };
  stream.on("error", onError);
  return {
    write(line) {
      lines.add(line, takes() ? most : 0);
      if (lines.text.length >= writtenAtOnce) flush();
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
