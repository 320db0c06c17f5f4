import { constants } from "node:fs";
import { type Files, type OpenFile, syncEntries } from "./files.ts";
import { identityAt, identityOf } from "./identity.ts";
import { Limiter } from "./limiter.ts";
import { SharedWork } from "./shared-work.ts";

/** Folders that are opened at once, and those that stay open. */
const mostOpening = 32;
const mostOpen = 32;

interface OpenFolder {
  readonly file: OpenFile;
  readonly identity: string;
}

/**
 * Makes folders durable, once for all who ask at once. One stays open while anybody is on the way into it: to open it and
 * to close it each time would cost more than to look whether it is still the one of that name.
 */
export class OpenFolders {
  readonly #files: Files;
  readonly #fsync: boolean;
  readonly #users = new Map<string, number>();
  readonly #open = new Map<string, OpenFolder>();
  readonly #opening = new Limiter(mostOpening);
  readonly #syncs = new SharedWork((path) => this.#sync(path));

  constructor(files: Files, fsync: boolean) {
    this.#files = files;
    this.#fsync = fsync;
  }

  /** Somebody is on the way into the folder, until `leave`. */
  enter(path: string): void {
    this.#users.set(path, (this.#users.get(path) ?? 0) + 1);
  }

  /** The last to leave closes it. Rejects with the file system's error. */
  leave(path: string): Promise<void> | undefined {
    const users = (this.#users.get(path) ?? 1) - 1;
    if (users === 0) this.#users.delete(path);
    else this.#users.set(path, users);
    return users === 0 ? this.#close(path) : undefined;
  }

  /**
   * Makes durable what is in the folder by now, and gives its identity: it was the one of that path afterwards too.
   * Undefined when there is none. Rejects with the file system's error.
   */
  sync(path: string): Promise<string | undefined> {
    return this.#syncs.run(path);
  }

  async #sync(path: string): Promise<string | undefined> {
    if (!this.#fsync) return identityAt(this.#files, path);
    const open = this.#open.get(path);
    if (open === undefined) return this.#opening.run(() => this.#syncOpening(path));
    await syncEntries(open.file);
    if ((await identityAt(this.#files, path)) === open.identity) return open.identity;
    await this.#close(path); // another has come into its place
    return this.#opening.run(() => this.#syncOpening(path));
  }

  async #syncOpening(path: string): Promise<string> {
    const file = await this.#files.open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    let stays = false;
    try {
      const identity = identityOf(await file.stat());
      await syncEntries(file);
      stays = this.#users.has(path) && this.#open.size < mostOpen;
      if (stays) this.#open.set(path, { file, identity });
      return identity;
    } finally {
      if (!stays) await file.close();
    }
  }

  async #close(path: string): Promise<void> {
    const open = this.#open.get(path);
    this.#open.delete(path);
    await open?.file.close();
  }
}
