import { type Clock, type Log } from "@mailhost/core";
import { errorCode } from "./error-code.ts";
import { Blocks } from "./blocks.ts";
import type { Files } from "./files.ts";
import { Folders, type FoldersOptions } from "./folders.ts";
import type { Hands } from "./journal/hands.ts";
import { Journal } from "./journal/journal.ts";
import type { Outlet } from "./journal/put.ts";
import { type Place, placePath } from "./place.ts";
import { Quotas } from "./quota.ts";
import type { Settings } from "./settings.ts";

/** What mail is stored with. */
export interface Means {
  readonly files: Files;
  /** Who puts out what a journal has acknowledged. */
  readonly hands: (outlet: Outlet, options: FoldersOptions, log: Log) => Hands;
}

/** What all deliveries below one root share, over listeners and generations. */
export class Store {
  readonly files: Files;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly folders: Folders;
  readonly quotas: Quotas | undefined;
  readonly journal: Journal | undefined;
  readonly blocks = new Blocks();

  constructor({ files, hands }: Means, settings: Settings, clock: Clock, log: Log) {
    this.files = files;
    this.settings = settings;
    this.clock = clock;
    this.folders = new Folders(files, settings, () => clock.now());
    this.quotas = settings.quota === undefined ? undefined : new Quotas(files, settings.quota);
    const { fsync } = settings;
    const { outlet } = this;
    if (settings.journal)
      this.journal = new Journal({ outlet, hands: hands(outlet, settings, log), fsync, clock, log });
  }

  /** How mail that was acknowledged becomes files. */
  get outlet(): Outlet {
    const { files, settings, clock } = this;
    const now = (): number => clock.now();
    const folders = new Folders(files, { ...settings, create: true }, now);
    return { files, root: settings.root, folders, now };
  }

  /** Path of the mailbox an address belongs to, for counting. */
  mailboxOf(place: Place): string {
    return placePath(this.settings.root, { ...place, subfolder: undefined });
  }

  /** Whether there is a mailbox at that path. Rejects with the file system's error; a root that is gone is one. */
  async has(mailbox: string): Promise<boolean> {
    await this.files.lstat(this.settings.root);
    try {
      return (await this.files.lstat(mailbox)).isDirectory();
    } catch (error) {
      if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return false;
      throw error;
    }
  }
}
