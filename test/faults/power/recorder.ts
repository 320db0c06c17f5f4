import { type FileHandle } from "node:fs/promises";
import { constants, readFileSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import type { FileCall, FileCalls } from "../file-calls.ts";
import type { DiskLog, Inode, Step } from "./disk.ts";

/** A step before its moments are known. */
type Bare<T> = T extends unknown ? Omit<T, "begun" | "ended" | "about"> : never;
type Deed = Bare<Step>;

/** An open file. */
interface Opened {
  readonly inode: Inode;
  readonly appends: boolean;
  position: number;
}

/** Calls that change nothing of what the model knows. Modes and times are not in it. */
const harmless = new Set([
  "access",
  "chmod",
  "close",
  "closeFolder",
  "lstat",
  "nextEntry",
  "opendir",
  "read",
  "stat",
  "utimes",
]);

/** Writes down what is asked of the file system below a folder. What is there at the start is on the disk. */
export class Recorder {
  /** Waits before and after each call, so that deliveries overlap; one call after the other unless told otherwise. */
  overlap: (() => Promise<unknown>) | undefined;
  readonly #below: string;
  readonly #steps: Step[] = [];
  readonly #folders = new Map<Inode, Map<string, Inode>>([[0, new Map()]]);
  readonly #sizes = new Map<Inode, number>();
  readonly #open = new Map<FileHandle, Opened>();
  /** Calls that changed something, so far. */
  changes = 0;
  #performing: Promise<unknown> = Promise.resolve();
  #moment = 0;
  #inodes = 0;

  constructor(below: string) {
    this.#below = below;
    this.#scan(below);
  }

  get log(): DiskLog {
    return {
      steps: this.#steps.toSorted((one, other) => one.ended - other.ended),
      folders: new Set(this.#folders.keys()),
    };
  }

  /** Meets every call from here on. */
  follow(calls: FileCalls): void {
    calls.meet = (call) => this.meet(call);
  }

  async meet(call: FileCall, overlap = this.overlap): Promise<unknown> {
    if (overlap !== undefined) call.aside();
    const begun = this.#tick();
    await overlap?.();
    const { result, deeds, done } = await this.#alone(async () => {
      const given = await call.perform();
      return { result: given, deeds: this.#deeds(call, given), done: this.#tick() };
    });
    await overlap?.();
    // A change is there as soon as anybody can see it; an fsync is taken to have done its work as late as that may be
    const heard = this.#tick();
    const about = `${call.name} ${relative(this.#below, call.path)}`;
    for (const deed of deeds) this.#steps.push({ ...deed, begun, ended: deed.kind === "sync" ? heard : done, about });
    if (deeds.length > 0) this.changes += 1;
    return result;
  }

  /**
   * Calls overlap from where they begin to where they are heard of, but are done one after the other: done at once on
   * two threads, one could see what the other did before the other is heard of here.
   */
  #alone<T>(perform: () => Promise<T>): Promise<T> {
    const performed = this.#performing.then(perform);
    this.#performing = performed.catch(() => {});
    return performed;
  }

  /** The client is told now. */
  told(subject: string, code: string): void {
    const now = this.#tick();
    this.#steps.push({ kind: "told", subject, code, begun: now, ended: now, about: `${code} of ${subject}` });
  }

  #tick(): number {
    return (this.#moment += 1);
  }

  #deeds(call: FileCall, result: unknown): Deed[] {
    const { name, path, args, file } = call;
    if (harmless.has(name)) return [];
    if (file !== undefined) return this.#deedsOf(file, name, args, result);
    if (name === "open") return this.#opened(path, args[1], result as FileHandle); // what `open` gives
    if (name === "mkdir") return this.#made(path, result);
    if (name === "unlink" || name === "rmdir") return [this.#put(path, undefined)];
    if (name === "rename") {
      return [this.#put(String(args[1]), this.#find(path)), this.#put(path, undefined)];
    }
    throw new Error(`${name} ${path}: the model of the disk does not know this call`);
  }

  #deedsOf(file: FileHandle, name: string, args: readonly unknown[], result: unknown): Deed[] {
    const opened = this.#open.get(file);
    if (opened === undefined) throw new Error(`${name} of a file that was open before anybody looked`);
    if (name === "sync" || name === "datasync") return [{ kind: "sync", of: opened.inode }];
    if (name === "truncate") return [this.#truncated(opened.inode, Number(args[0] ?? 0))];
    if (name === "write" && args[0] instanceof Uint8Array) return [this.#written(opened, args, result)];
    if (name === "writev")
      return [this.#written(opened, [Buffer.concat(args[0] as Uint8Array[]), 0, undefined, args[1]], result)]; // its one form
    throw new Error(`${name} of an open file: the model of the disk does not know this call`);
  }

  #written(opened: Opened, args: readonly unknown[], result: unknown): Deed {
    const [octets, offset, , position] = args as [
      Uint8Array,
      number | undefined,
      number | undefined,
      number | undefined,
    ]; // the one form in use
    const { bytesWritten } = result as { bytesWritten: number }; // what `write` gives
    const size = this.#sizes.get(opened.inode) ?? 0;
    const at = opened.appends ? size : (position ?? opened.position);
    if (position === undefined || position === null) opened.position = at + bytesWritten;
    this.#sizes.set(opened.inode, Math.max(size, at + bytesWritten));
    const from = offset ?? 0;
    return {
      kind: "write",
      file: opened.inode,
      at,
      octets: Uint8Array.from(octets.subarray(from, from + bytesWritten)),
    };
  }

  #truncated(file: Inode, size: number): Deed {
    this.#sizes.set(file, size);
    return { kind: "truncate", file, size };
  }

  #opened(path: string, flags: unknown, file: FileHandle): Deed[] {
    const [appends, truncates] =
      typeof flags === "number"
        ? [(flags & constants.O_APPEND) > 0, (flags & constants.O_TRUNC) > 0]
        : [String(flags).startsWith("a"), String(flags).startsWith("w")];
    const known = this.#find(path);
    const inode = known ?? this.#newInode();
    this.#open.set(file, { inode, appends, position: 0 });
    if (known === undefined) return [this.#put(path, inode)];
    return truncates && (this.#sizes.get(known) ?? 0) > 0 ? [this.#truncated(known, 0)] : [];
  }

  /** One folder, or with `recursive` all that were missing: then the first of them is given. */
  #made(path: string, first: unknown): Deed[] {
    if (typeof first !== "string")
      return first === undefined && this.#find(path) !== undefined ? [] : [this.#madeOne(path)];
    const missing = relative(first, path)
      .split("/")
      .filter((name) => name !== "");
    let here = first;
    return [this.#madeOne(first), ...missing.map((name) => this.#madeOne((here = join(here, name))))];
  }

  #madeOne(path: string): Deed {
    const inode = this.#newInode();
    this.#folders.set(inode, new Map());
    return this.#put(path, inode);
  }

  #newInode(): Inode {
    return (this.#inodes += 1);
  }

  #put(path: string, target: Inode | undefined): Deed {
    const names = this.#names(path);
    const name = names.pop() ?? "";
    const folder = this.#walk(names);
    const entries = folder === undefined ? undefined : this.#folders.get(folder);
    if (folder === undefined || entries === undefined) throw new Error(`${path} is in no folder`);
    if (target === undefined) entries.delete(name);
    else entries.set(name, target);
    return { kind: "put", folder, name, target };
  }

  #find(path: string): Inode | undefined {
    return this.#walk(this.#names(path));
  }

  #names(path: string): string[] {
    return relative(this.#below, path)
      .split("/")
      .filter((name) => name !== "");
  }

  #walk(names: readonly string[]): Inode | undefined {
    let here: Inode | undefined = 0;
    for (const name of names) here = here === undefined ? undefined : this.#folders.get(here)?.get(name);
    return here;
  }

  #scan(folder: string): void {
    const start = (deed: Deed, path: string): void => {
      this.#steps.push({ ...deed, begun: 0, ended: 0, about: `found ${path}` });
    };
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        start(this.#madeOne(path), path);
        this.#scan(path);
        continue;
      }
      const inode = this.#newInode();
      const octets = readFileSync(path);
      start(this.#put(path, inode), path);
      start({ kind: "write", file: inode, at: 0, octets }, path);
      this.#sizes.set(inode, octets.length);
    }
  }
}
