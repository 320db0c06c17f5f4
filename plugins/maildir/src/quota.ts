import { errorCode } from "./error-code.ts";
import { join } from "node:path";
import type { Files } from "./files.ts";
import { sizeInName } from "./unique-name.ts";

/** What one mailbox may hold, its Maildir++ folders included. */
export interface Quota {
  readonly octets?: number | undefined;
  readonly messages?: number | undefined;
}

/** `full`: there is room again once mail was read and deleted. `tooBig`: there never will be for this message. */
export type Room = "enough" | "full" | "tooBig";

interface Usage {
  octets: number;
  messages: number;
}

/** Counts mailboxes, with what is on its way into them. */
export class Quotas {
  readonly #files: Files;
  readonly #quota: Quota;
  readonly #pending = new Map<string, Usage>();
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(files: Files, quota: Quota) {
    this.#files = files;
    this.#quota = quota;
  }

  /** Whether a message of so many octets fits into the mailbox at that path. */
  async room(mailbox: string, octets: number): Promise<Room> {
    const { octets: mostOctets = Infinity, messages: mostMessages = Infinity } = this.#quota;
    if (octets > mostOctets || mostMessages < 1) return "tooBig";
    // First: what is shown while the files are counted may count twice, never not at all
    const pending = this.#pending.get(mailbox);
    const used = await this.#count(mailbox);
    const fits =
      used.octets + (pending?.octets ?? 0) + octets <= mostOctets &&
      used.messages + (pending?.messages ?? 0) + 1 <= mostMessages;
    return fits ? "enough" : "full";
  }

  /** As `room`, and keeps the room until `release`. One at a time per mailbox, so that fifty cannot share the last place. */
  reserve(mailbox: string, octets: number): Promise<Room> {
    const turn = (this.#turns.get(mailbox) ?? Promise.resolve()).then(() => this.#take(mailbox, octets));
    const over = turn
      .catch(() => {})
      .finally(() => {
        if (this.#turns.get(mailbox) === over) this.#turns.delete(mailbox);
      });
    this.#turns.set(mailbox, over);
    return turn;
  }

  async #take(mailbox: string, octets: number): Promise<Room> {
    const room = await this.room(mailbox, octets);
    if (room === "enough") this.#change(mailbox, octets, 1);
    return room;
  }

  release(mailbox: string, octets: number): void {
    this.#change(mailbox, -octets, -1);
  }

  #change(mailbox: string, octets: number, messages: number): void {
    const { octets: before, messages: count } = this.#pending.get(mailbox) ?? { octets: 0, messages: 0 };
    if (count + messages === 0) this.#pending.delete(mailbox);
    else this.#pending.set(mailbox, { octets: before + octets, messages: count + messages });
  }

  async #count(mailbox: string): Promise<Usage> {
    const usage: Usage = { octets: 0, messages: 0 };
    await this.#addFolder(mailbox, usage);
    for await (const name of this.#names(mailbox, true))
      if (name.startsWith(".")) await this.#addFolder(join(mailbox, name), usage);
    return usage;
  }

  async #addFolder(folder: string, usage: Usage): Promise<void> {
    for (const name of ["new", "cur"]) {
      const path = join(folder, name);
      for await (const file of this.#names(path, false)) {
        usage.messages += 1;
        usage.octets += sizeInName(file) ?? (await this.#size(join(path, file)));
      }
    }
  }

  async *#names(folder: string, folders: boolean): AsyncGenerator<string> {
    try {
      for await (const entry of await this.#files.opendir(folder))
        if (folders ? entry.isDirectory() : entry.isFile()) yield entry.name;
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
    }
  }

  async #size(path: string): Promise<number> {
    try {
      return (await this.#files.lstat(path)).size;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return 0; // a reader moved or deleted it
      throw error;
    }
  }
}
