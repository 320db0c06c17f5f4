import { AsyncLocalStorage } from "node:async_hooks";
import promises, { type FileHandle } from "node:fs/promises";
import type { Dir } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { sep } from "node:path";

/** One call a server makes of the file system, below the folders that are watched. */
export interface FileCall {
  /** From 1 on. */
  readonly number: number;
  /** `mkdir`, `open` and its like; of an open file `write`, `sync`, `close` …; of a folder `nextEntry`, `closeFolder`. */
  readonly name: string;
  readonly path: string;
  /** The open file it is a call of, and for `open` nothing. */
  readonly file?: FileHandle;
  readonly args: readonly unknown[];
  /** Does it, with the arguments given or with others. */
  perform(args?: readonly unknown[]): Promise<unknown>;
  /** It will take long: the others need not wait for it. */
  aside(): void;
}

/** What is done in its name is nobody's delivery, and is let through. */
export const unwatched = new AsyncLocalStorage<true>();

const isSync = (name: string): boolean => name === "sync" || name === "datasync";

type AnyFunction = (this: unknown, ...args: readonly unknown[]) => unknown;

/**
 * Stands between the server and `node:fs/promises` in this process, and meets every call below the folders that are
 * watched, one after the other: the same delivery makes the same calls in the same order each time.
 */
export class FileCalls {
  /** What becomes of a call; it is performed unless told otherwise. */
  meet: (call: FileCall) => Promise<unknown> = (call) => call.perform();
  /** Calls since the last `restart`. */
  made: FileCall[] = [];
  /** Names of the functions of `node:fs/promises` and of open files that were ever called. */
  readonly names = new Set<string>();
  /** Whether fsync is really done. */
  durable = false;
  /** Whether the disk says that it has room for what need not be there. */
  plenty = false;
  /** Files and folders that are open. */
  open = 0;
  readonly #under: string;
  #running = 0;
  #turn: Promise<unknown> = Promise.resolve();
  readonly #mends: (() => void)[] = [];

  constructor(folder: string) {
    this.#under = folder + sep;
    const functions = promises as unknown as Record<string, unknown>; // by name, as they are
    for (const [name, original] of Object.entries(functions)) {
      if (typeof original !== "function") continue;
      const call = original as AnyFunction; // just looked at
      functions[name] = (...args: readonly unknown[]): unknown =>
        this.#isWatched(args[0]) ? this.#called(name, args[0], args, call) : call(...args);
      this.#mends.push(() => {
        functions[name] = original;
      });
    }
    syncBuiltinESMExports();
  }

  /** Every call is performed from here on, and counted from 1. */
  restart(): void {
    this.made = [];
    this.meet = (call) => call.perform();
  }

  /** Resolves when nobody calls any more. */
  async idle(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet = this.#running === 0 ? quiet + 1 : 0)
      await new Promise((resolve) => setImmediate(resolve));
  }

  /** Puts everything back. */
  release(): void {
    for (const mend of this.#mends) mend();
    syncBuiltinESMExports();
  }

  #isWatched(path: unknown): path is string {
    return unwatched.getStore() === undefined && typeof path === "string" && path.startsWith(this.#under);
  }

  async #called(name: string, path: string, args: readonly unknown[], original: AnyFunction): Promise<unknown> {
    const perform = async (given = args): Promise<unknown> => {
      const result = await original(...given);
      if (name === "statfs" && !this.plenty) return { bavail: 0, bsize: 4096 };
      if (name === "open") this.#watchFile(result as FileHandle, path); // what `open` gives
      if (name === "opendir") this.#watchFolder(result as Dir, path); // what `opendir` gives
      return result;
    };
    return this.#inTurn({ name, path, args, perform });
  }

  /** Until it settles or steps aside no other call begins. */
  async #inTurn(made: Omit<FileCall, "number" | "aside">): Promise<unknown> {
    this.#running += 1;
    const before = this.#turn;
    let over = (): void => {};
    this.#turn = new Promise<void>((resolve) => (over = resolve));
    await before;
    const call = { ...made, number: this.made.length + 1, aside: over };
    this.made.push(call);
    this.names.add(call.name);
    try {
      return await this.meet(call);
    } finally {
      over();
      this.#running -= 1;
    }
  }

  #watchFile(file: FileHandle, path: string): void {
    this.open += 1;
    const own = file as unknown as Record<string, unknown>; // its methods by name; `close` is a field of its own
    const names = Object.getOwnPropertyNames(Object.getPrototypeOf(file)).concat("close");
    for (const name of new Set(names)) {
      const original = name === "constructor" || name === "fd" ? undefined : own[name];
      if (typeof original !== "function" || !/^[a-z]/.test(name)) continue;
      const method = original.bind(file) as AnyFunction; // just looked at
      own[name] = (...args: readonly unknown[]): unknown => {
        const perform = async (given = args): Promise<unknown> => {
          // Real ones are slow, and change nothing a living process sees
          const result = isSync(name) && !this.durable ? undefined : await method(...given);
          if (name === "close") this.open -= 1;
          return result;
        };
        return this.#inTurn({ name, path, file, args, perform });
      };
    }
  }

  #watchFolder(folder: Dir, path: string): void {
    this.open += 1;
    const next = (): Promise<unknown> =>
      this.#inTurn({ name: "nextEntry", path, args: [], perform: () => folder.read() });
    const original = folder.close.bind(folder);
    const close = (): Promise<unknown> =>
      this.#inTurn({
        name: "closeFolder",
        path,
        args: [],
        perform: async () => {
          await original();
          this.open -= 1;
        },
      });
    Object.assign(folder, {
      close,
      async *[Symbol.asyncIterator](): AsyncGenerator {
        try {
          for (;;) {
            const entry = await next();
            if (entry === null) return;
            yield entry;
          }
        } finally {
          await close();
        }
      },
    });
  }
}
