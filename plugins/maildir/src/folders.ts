import { errorCode } from "./error-code.ts";
import { dirname } from "node:path";
import { type Files, removeFile, syncFolder } from "./files.ts";
import { identityAt } from "./identity.ts";
import { KnownFolders } from "./known-folders.ts";
import { type Maildir, type Place, below, maildirAt, placePath } from "./place.ts";
import { OpenFolders } from "./open-folders.ts";

/** Maildir++ folders one mailbox may grow by mail alone: beyond, `+tag` mail goes to the inbox. */
const mostSubfolders = 1000;

/** Ancestors known to be durable that are remembered. Forgetting one costs an fsync. */
const mostRemembered = 10_000;

/** Another folder may come into the place of one, and again. */
const attempts = 3;

export interface FoldersOptions {
  readonly root: string;
  readonly create: boolean;
  readonly folderMode: number;
  readonly fsync: boolean;
}

/** What was made on the way to a place, in order. A part is `cur`, `new` or `tmp`. */
export type Made = { readonly kind: "folder" | "part" | "file"; readonly path: string }[];

/** What makes a folder a Maildir. `tmp` last: it is the first to go again, unless another process writes there. */
const parts = ["cur", "new", "tmp"];

/** The mailbox does not exist and may not be made. */
export class MissingMailbox extends Error {
  override readonly name = "MissingMailbox";
}

/** Paths of the folders on the way to a place, which stay as long as it is held. */
export type Held = readonly string[];

/** Finds and makes the folders below the root. Follows no link there. */
export class Folders {
  readonly #files: Files;
  readonly #options: FoldersOptions;
  /** Folders whose entry in their parent is known to be on disk, with what tells them from others of that path. */
  readonly #durable = new Map<string, string>();
  readonly #known: KnownFolders;
  readonly #open: OpenFolders;
  /** Copies on their way into a folder. */
  readonly #users = new Map<string, number>();
  /** Folders that were made here and hold no mail yet: they alone may go again. */
  readonly #fresh = new Set<string>();
  /** What would have gone, had another copy not used it: the last to leave takes it along. */
  readonly #left: Made = [];
  #unmaking: Promise<void> = Promise.resolve();
  #root: Promise<void> | undefined;

  constructor(files: Files, options: FoldersOptions, now: () => number) {
    this.#files = files;
    this.#options = options;
    this.#known = new KnownFolders(now);
    this.#open = new OpenFolders(files, options.fsync);
  }

  /** Keeps the folders of a place from being unmade, until `release`. Comes before `open`. */
  hold(place: Place): Held {
    const paths = this.#pathsTo(place);
    for (const path of paths) this.#users.set(path, (this.#users.get(path) ?? 0) + 1);
    return paths;
  }

  /** Ends `hold`. With `used` there is mail now, and the folders stay. */
  release(held: Held, used: boolean): void {
    for (const path of held) {
      const users = (this.#users.get(path) ?? 1) - 1;
      if (users === 0) this.#users.delete(path);
      else this.#users.set(path, users);
      if (!used || this.#fresh.size === 0) continue;
      for (const one of [path, ...parts.map((name) => below(path, name))]) this.#fresh.delete(one);
    }
  }

  #pathsTo({ steps, subfolder }: Place): string[] {
    const paths: string[] = [];
    let path = this.#options.root;
    for (const step of steps) paths.push((path = below(path, step)));
    if (subfolder !== undefined) paths.push(below(path, subfolder));
    return paths;
  }

  /** As `look`, but a place that was looked at in the last ten seconds is taken to be there: see `settle`. */
  open(place: Place, made: Made): Maildir | Promise<Maildir> {
    return this.#known.get(placePath(this.#options.root, place)) ?? this.look(place, made);
  }

  /** A message is on its way into what `open` gave, until `leave`. Comes before `settle`. */
  enter(maildir: Maildir): void {
    this.#open.enter(maildir.new);
  }

  /** Ends `enter`. Rejects with the file system's error. */
  leave(maildir: Maildir): Promise<void> | undefined {
    return this.#open.leave(maildir.new);
  }

  /**
   * Makes durable what was moved into `new` of the Maildir of a place. Somebody may have put another in its place since it
   * was looked at: then that one is looked at, so that what stands there is durable with all folders on the way.
   */
  async settle(place: Place, { new: path }: Maildir, made: Made): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const identity = await this.#open.sync(path);
      if (identity !== undefined && identity === this.#durable.get(path)) return;
      if (attempt === attempts) throw new Error(`${path} is another folder each time`);
      await this.look(place, made);
    }
  }

  /**
   * The Maildir of a place, made where it is missing, all of it durable. What this call made is added to `made`,
   * also when it rejects. Thirty deliveries may race here. Rejects with MissingMailbox, or the file system's error.
   */
  async look(place: Place, made: Made): Promise<Maildir> {
    await this.#unmaking;
    const maildir = maildirAt(await this.#walk(place, made));
    if (this.#durable.has(maildir.new)) this.#known.add(placePath(this.#options.root, place), maildir);
    return maildir;
  }

  async #walk(place: Place, made: Made): Promise<string> {
    const { create } = this.#options;
    // A missing root is a disk that is not mounted, not a mailbox that does not exist
    if (create) await this.#openRoot();
    else await this.#files.stat(this.#options.root);
    let path = this.#options.root;
    for (const step of place.steps) await this.#step((path = below(path, step)), create, made);
    await this.#openParts(path, made);
    if (place.subfolder === undefined) return path;
    const subfolder = await this.#openSubfolder(path, place.subfolder, made);
    if (subfolder !== path) await this.#openParts(subfolder, made);
    return subfolder;
  }

  async #openParts(maildir: string, made: Made): Promise<void> {
    for (const name of parts) await this.#step(below(maildir, name), true, made, "part");
  }

  /** Removes what was made for nothing, unless another copy uses it. Nobody opens a folder meanwhile. */
  unmake(made: Made): Promise<void> {
    if (made.length + this.#left.length > 0)
      this.#unmaking = this.#unmaking.then(() => this.#removeUnused([...this.#left.splice(0), ...made]));
    return this.#unmaking;
  }

  async #removeUnused(made: Made): Promise<void> {
    const kept = new Set<string>(); // by another process: its Maildir stays whole
    for (const { kind, path } of made.toReversed().toSorted(deepestFirst)) {
      const folder = kind === "folder" ? path : dirname(path);
      if (!this.#fresh.has(kind === "file" ? folder : path)) continue;
      if (this.#users.has(folder)) {
        this.#left.unshift({ kind, path });
        continue;
      }
      if (kind === "part" && kept.has(folder)) continue;
      this.#known.forget(folder);
      try {
        await (kind === "file" ? removeFile(this.#files, path) : this.#files.rmdir(path));
        this.#durable.delete(path);
      } catch (error) {
        kept.add(folder); // not empty, or gone
        // A delivery that ends at the same moment has yet to remove what is in it
        if (kind === "folder" && errorCode(error) === "ENOTEMPTY" && this.#left.length < mostRemembered) {
          this.#left.unshift({ kind, path });
          continue;
        }
      }
      this.#fresh.delete(path);
    }
  }

  #openRoot(): Promise<void> {
    this.#root ??= this.#makeRoot().catch((error: unknown) => {
      this.#root = undefined;
      throw error;
    });
    return this.#root;
  }

  async #makeRoot(): Promise<void> {
    const { root, folderMode, fsync } = this.#options;
    const first = await this.#files.mkdir(root, { recursive: true, mode: folderMode });
    if (!fsync) return;
    // Also what was there: another process may have made it a moment ago, and have been killed before it got to this
    const { dev } = await this.#files.stat(root);
    for (let path = root; path !== dirname(path); path = dirname(path)) {
      const parent = dirname(path);
      if ((await this.#files.stat(parent)).dev !== dev) return; // nobody makes a mount point on the way
      const isOurs = first !== undefined && path.length >= first.length;
      await this.#syncParent(parent, isOurs);
    }
  }

  async #syncParent(parent: string, isOurs: boolean): Promise<void> {
    try {
      await syncFolder(this.#files, parent);
    } catch (error) {
      // Nobody is to be kept from his mail by a folder above it that he may not read
      if (isOurs || (errorCode(error) !== "EACCES" && errorCode(error) !== "EPERM")) throw error;
    }
  }

  async #openSubfolder(mailbox: string, name: string, made: Made): Promise<string> {
    const path = below(mailbox, name);
    const known = this.#durable.has(path) || (await identityAt(this.#files, path)) !== undefined;
    if (!known && (await this.#hasTooMany(mailbox))) return mailbox;
    if (await this.#step(path, true, made)) await this.#markSubfolder(below(path, "maildirfolder"), made);
    return path;
  }

  async #hasTooMany(mailbox: string): Promise<boolean> {
    let count = 0;
    for await (const entry of await this.#files.opendir(mailbox))
      if (entry.name.startsWith(".") && (count += 1) >= mostSubfolders) return true;
    return false;
  }

  /** Maildir++: an empty file tells a folder from a mailbox. */
  async #markSubfolder(path: string, made: Made): Promise<void> {
    const file = await this.#files.open(path, "wx", 0o600);
    made.push({ kind: "file", path });
    await file.close();
  }

  /** One folder on the way. True when this call made it. */
  async #step(path: string, mayMake: boolean, made: Made, kind: "folder" | "part" = "folder"): Promise<boolean> {
    let identity = await identityAt(this.#files, path);
    let isNew = false;
    if (identity === undefined) {
      if (!mayMake) throw new MissingMailbox(`there is no mailbox ${path}`);
      isNew = await this.#make(path, made, kind);
      identity = await identityAt(this.#files, path);
    }
    if (identity === undefined || this.#durable.get(path) === identity) return isNew;
    // Somebody else may have made it a moment ago and not have got to this
    if (this.#options.fsync) await syncFolder(this.#files, dirname(path));
    if (this.#durable.size >= mostRemembered) this.#durable.clear();
    this.#durable.set(path, identity);
    return isNew;
  }

  async #make(path: string, made: Made, kind: "folder" | "part"): Promise<boolean> {
    const { folderMode } = this.#options;
    this.#durable.delete(path);
    try {
      await this.#files.mkdir(path, folderMode);
    } catch (error) {
      if (errorCode(error) === "EEXIST") return false;
      if (errorCode(error) === "ENOENT") this.#root = undefined; // the root itself may be gone
      throw error;
    }
    made.push({ kind, path });
    this.#fresh.add(path);
    // The umask took from the mode what was asked for
    if (folderMode !== 0o700) await this.#files.chmod(path, folderMode);
    return true;
  }
}

const deepestFirst = (one: Made[number], other: Made[number]): number => depth(other.path) - depth(one.path);
const depth = (path: string): number => path.split("/").length;
