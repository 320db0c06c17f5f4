import { errorCode } from "./error-code.ts";
import type { StoredMessage } from "@mailhost/core";
import { BlockWriter } from "./block-writer.ts";
import { type Files, type OpenFile, newFileFlags, removeFile } from "./files.ts";
import type { Folders, Held, Made } from "./folders.ts";
import { LineEnds } from "./line-ends.ts";
import { type Maildir, type Place, below, maildirAt } from "./place.ts";
import { finalName, uniqueName } from "./unique-name.ts";

/** A folder may vanish between being made and being used, and again. */
const attempts = 3;

/** Where a copy is before its folder was looked for. */
const nowhere = maildirAt("");

export interface CopyOptions {
  readonly fileMode: number;
  readonly fsync: boolean;
  readonly crlf: boolean;
}

/** What one copy holds. `top` is the lines above the message, with CRLF. */
export interface CopyContent {
  readonly top: string;
  readonly message: StoredMessage;
}

/** One message in one mailbox: first in `tmp`, then in `new`. */
export class Copy {
  readonly place: Place;
  readonly #files: Files;
  readonly #folders: Folders;
  readonly #options: CopyOptions;
  readonly #unique: string;
  readonly #made: Made;
  #maildir = nowhere;
  #octets = 0;
  #renaming = false;
  #moved = false;
  #held: Held | undefined;
  #entered = false;

  /** `made` takes the folders that are made for this copy. */
  constructor(files: Files, folders: Folders, options: CopyOptions, place: Place, milliseconds: number, made: Made) {
    this.#made = made;
    this.place = place;
    this.#files = files;
    this.#folders = folders;
    this.#options = options;
    this.#unique = uniqueName(milliseconds);
  }

  /** Writes the copy where no reader looks, a block at a time, and makes it durable. Rejects with the file system's error, or with why `signal` aborted. */
  async write(content: CopyContent, block: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#held = this.#folders.hold(this.place);
    const file = await this.#open();
    try {
      const { fileMode, fsync } = this.#options;
      if (fileMode !== 0o600) await file.chmod(fileMode); // the umask took from it
      await this.#fill(new BlockWriter(file, block, this.#options.crlf ? undefined : new LineEnds()), content, signal);
      if (fsync) await file.sync();
    } finally {
      await file.close();
    }
    signal.throwIfAborted();
  }

  async #open(): Promise<OpenFile> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#maildir = await (attempt === 1
          ? this.#folders.open(this.place, this.#made)
          : this.#folders.look(this.place, this.#made));
        const file = await this.#files.open(this.#tmp, newFileFlags, 0o600);
        this.#folders.enter(this.#maildir);
        this.#entered = true;
        return file;
      } catch (error) {
        if (errorCode(error) !== "ENOENT" || attempt === attempts) throw error;
      }
    }
  }

  async #fill(writer: BlockWriter, { top, message }: CopyContent, signal: AbortSignal): Promise<void> {
    await writer.write(Buffer.from(top, "utf8"));
    for await (const chunk of message.open({ reuse: true })) {
      signal.throwIfAborted();
      await writer.write(chunk);
    }
    await writer.end();
    this.#octets = writer.octets;
  }

  /** Shows the copy to readers. Durable only once it is settled. */
  async show(): Promise<void> {
    this.#renaming = true;
    for (let attempt = 1; !this.#moved; attempt += 1) {
      try {
        await this.#files.rename(this.#tmp, this.#path);
        this.#moved = true;
      } catch (error) {
        if (errorCode(error) !== "ENOENT" || attempt === attempts) throw error;
        // Somebody removed `new`; when it was the whole mailbox, the copy is gone and the next attempt says so
        await this.#folders.look(this.place, this.#made);
      }
    }
  }

  /** Makes what was shown in its folder durable, other copies too. */
  settle(): Promise<void> {
    return this.#folders.settle(this.place, this.#maildir, this.#made);
  }

  /** Leaves no file behind, in `tmp` or in `new`. */
  async remove(): Promise<void> {
    try {
      if (this.#maildir === nowhere) return;
      await removeFile(this.#files, this.#tmp);
      // A rename may have happened although it failed: over NFS its answer is lost, and the second try finds nothing
      if (this.#renaming) await removeFile(this.#files, this.#path);
    } finally {
      this.release(false);
      await this.leave();
    }
  }

  /** Nothing is to be settled any more. Rejects with the file system's error. */
  leave(): Promise<void> | undefined {
    if (!this.#entered) return undefined;
    this.#entered = false;
    return this.#folders.leave(this.#maildir);
  }

  /** The copy is where it stays, or gone. */
  release(used: boolean): void {
    if (this.#held !== undefined) this.#folders.release(this.#held, used);
    this.#held = undefined;
  }

  get maildir(): Maildir {
    return this.#maildir;
  }

  get #path(): string {
    return below(this.#maildir.new, finalName(this.#unique, this.#octets));
  }

  get #tmp(): string {
    return below(this.#maildir.tmp, this.#unique);
  }
}
