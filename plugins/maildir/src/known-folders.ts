import type { Maildir } from "./place.ts";

/** How long a mailbox that was looked at needs no second look at every folder on the way. */
const knownFor = 10_000;
const mostKnown = 10_000;

/** Mailboxes that were there a moment ago: looking at each folder on the way costs more than the message. */
export class KnownFolders {
  readonly #now: () => number;
  readonly #known = new Map<string, { readonly maildir: Maildir; readonly until: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** What a place was found to be: that of the mailbox where it has too many folders by tags. */
  get(path: string): Maildir | undefined {
    const known = this.#known.get(path);
    return known !== undefined && this.#now() < known.until ? known.maildir : undefined;
  }

  add(path: string, maildir: Maildir): void {
    if (this.#known.size >= mostKnown) this.#known.clear();
    this.#known.set(path, { maildir, until: this.#now() + knownFor });
  }

  /** It may have gone again. */
  forget(path: string): void {
    this.#known.delete(path);
  }
}
