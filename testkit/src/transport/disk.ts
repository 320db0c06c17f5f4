import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { inPlugin } from "../contract/probe.ts";

type AnyFunction = (this: unknown, ...args: readonly unknown[]) => unknown;
type Functions = Record<string, AnyFunction | undefined>;

/** What a full disk refuses. Deleting and closing go on. */
const writing = ["open", "mkdir", "mkdtemp", "rename", "link", "symlink", "write", "writev", "writeFile"];
const written = [...writing, "appendFile", "copyFile", "cp", "truncate", "ftruncate"];
/** Those of an open file. */
const handled = ["write", "writev", "writeFile", "appendFile", "sync", "datasync", "truncate"];

/**
 * Counts what the watched plugin does to the disk, and lets some of it fail. Put in the way of `node:fs`
 * in this process: nobody but the plugin meets it. One at a time: the next waits for `release`.
 */
export class Disk {
  /** Operations so far. */
  operations = 0;
  /** Called with the number of each operation, from 1 on; true lets it fail. */
  fails: (operation: number) => boolean = () => false;
  readonly #mends: (() => void)[] = [];
  static #turn: Promise<void> = Promise.resolve();

  static async watch(): Promise<Disk> {
    const disk = new Disk();
    const before = Disk.#turn;
    Disk.#turn = new Promise((resolve) => void disk.#mends.push(resolve));
    await before;
    const handle = await promises.open(process.execPath, "r");
    try {
      // Functions by name, as they are
      disk.#patch(Object.getPrototypeOf(handle) as Functions, handled, rejecting);
    } finally {
      await handle.close();
    }
    disk.#patch(promises as unknown as Functions, written, rejecting);
    disk.#patch(fs as unknown as Functions, [...written, "fsync", "fdatasync"], callingBack);
    const synchronous = [...written, "fsync", "fdatasync"].map((name) => `${name}Sync`);
    disk.#patch(fs as unknown as Functions, synchronous, throwing);
    syncBuiltinESMExports();
    return disk;
  }

  /** Puts everything back. */
  release(): void {
    for (const mend of this.#mends) mend();
    syncBuiltinESMExports();
  }

  #patch(on: Functions, names: readonly string[], fail: (error: Error, args: readonly unknown[]) => unknown): void {
    const happens = (name: string, args: readonly unknown[]): Error | undefined => {
      if (inPlugin.getStore() === undefined || (name.startsWith("open") && !opensForWriting(args[1]))) return undefined;
      this.operations += 1;
      return this.fails(this.operations) ? noSpace(name) : undefined;
    };
    for (const name of names) {
      const original = on[name];
      if (original === undefined) continue;
      on[name] = function patched(...args) {
        const error = happens(name, args);
        return error === undefined ? original.apply(this, [...args]) : fail(error, args);
      };
      this.#mends.push(() => {
        on[name] = original;
      });
    }
  }
}

const rejecting = (error: Error): Promise<never> => Promise.reject(error);

const throwing = (error: Error): never => {
  throw error;
};

const callingBack = (error: Error, args: readonly unknown[]): void => {
  const callback = args.at(-1);
  if (typeof callback === "function") process.nextTick(callback, error);
};

const noSpace = (name: string): Error =>
  Object.assign(new Error(`ENOSPC: no space left on device, ${name}`), { code: "ENOSPC", errno: -28, syscall: name });

const opensForWriting = (flags: unknown): boolean =>
  typeof flags === "number"
    ? (flags & (fs.constants.O_WRONLY | fs.constants.O_RDWR | fs.constants.O_CREAT)) !== 0
    : typeof flags === "string" && /[wa+]/.test(flags);
