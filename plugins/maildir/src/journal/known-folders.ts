import type { Clock } from "@mailhost/core";

/** How long a mailbox that was looked at needs no second look. Should it go meanwhile, its mail makes it anew. */
const knownFor = 10_000;
const mostKnown = 10_000;

/** Mailboxes that were there a moment ago: looking at each folder on the way costs more than the message. */
export class KnownFolders {
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly folder: string; readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The folder for a path: as `open` gave it a moment ago, or as it gives it now. */
  async folder(path: string, open: () => Promise<string>): Promise<string> {
    const known = this.#known.get(path);
    const now = this.#clock.now();
    if (known !== undefined && now < known.until) return known.folder;
    const folder = await open();
    if (this.#known.size >= mostKnown) this.#known.clear();
    this.#known.set(path, { folder, until: now + knownFor });
    return folder;
  }

  /** It may have gone again. */
  forget(path: string): void {
    this.#known.delete(path);
  }
}
