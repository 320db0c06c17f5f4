import { errorCode } from "../error-code.ts";
import { join } from "node:path";
import { type Files, syncFolder } from "../files.ts";
import { ownName } from "./owner.ts";

/** The folder below the root that holds the journals: no mailbox has a name that begins with a dot. */
export const journalsFolder = ".mailhost-journal";

/** Folders that journals of this process have, living ones and those that are being replayed. */
export const ours = new Set<string>();

/** The folder of one journal. Its name tells whose it is. */
export class Home {
  readonly #files: Files;
  readonly #root: string;
  readonly #fsync: boolean;
  #path: Promise<string> | undefined;

  constructor(files: Files, root: string, fsync: boolean) {
    this.#files = files;
    this.#root = root;
    this.#fsync = fsync;
  }

  /** Its path, once it is there and on the disk. Rejects with the file system's error, and tries anew at the next call. */
  open(): Promise<string> {
    this.#path ??= this.#make().catch((error: unknown) => {
      this.#path = undefined;
      throw error;
    });
    return this.#path;
  }

  async #make(): Promise<string> {
    const above = join(this.#root, journalsFolder);
    const path = join(above, await ownName());
    ours.add(path);
    try {
      await this.#makeBoth(above, path);
      // Both of them, also what was there: who made it may have been killed before getting to this
      if (this.#fsync) for (const folder of [this.#root, above]) await syncFolder(this.#files, folder);
    } catch (error) {
      await removeFolder(this.#files, path).catch(() => {});
      ours.delete(path);
      throw error;
    }
    return path;
  }

  async #makeBoth(above: string, path: string): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      await makeFolder(this.#files, above);
      try {
        await this.#files.mkdir(path, 0o700);
        return;
      } catch (error) {
        // Another server has just closed, and removed the folder above with its own
        if (errorCode(error) !== "ENOENT" || attempt === 3) throw error;
      }
    }
  }

  /** Says that its owner lives. */
  async beat(now: number): Promise<void> {
    if (this.#path !== undefined) await this.#files.utimes(await this.#path, now / 1000, now / 1000);
  }

  /** It is empty, or what is in it is for the next start. */
  async close(empty: boolean): Promise<void> {
    if (this.#path === undefined) return;
    const path = await this.#path;
    this.#path = undefined;
    if (empty) await removeFolder(this.#files, path);
    ours.delete(path);
    if (empty) await removeFolder(this.#files, join(this.#root, journalsFolder));
  }
}

async function makeFolder(files: Files, path: string): Promise<void> {
  try {
    await files.mkdir(path, 0o700);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  }
}

/** Removes a folder when it is empty. */
export async function removeFolder(files: Files, path: string): Promise<void> {
  try {
    await files.rmdir(path);
  } catch (error) {
    if (!["ENOENT", "ENOTEMPTY", "EEXIST"].includes(errorCode(error))) throw error;
  }
}
