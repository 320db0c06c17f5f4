/** How long a mailbox that was looked at needs no second look at every folder on the way. */
const knownFor = 10_000;
const mostKnown = 10_000;

/** What a place was found to be. */
export interface Known {
  /** Its Maildir: that of the mailbox where it has too many folders by tags. */
  readonly folder: string;
  /** Of the folder `new` in it. */
  readonly identity: string;
}

/** Mailboxes that were there a moment ago: looking at each folder on the way costs more than the message. */
export class KnownFolders {
  readonly #now: () => number;
  readonly #known = new Map<string, Known & { readonly until: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  get(path: string): Known | undefined {
    const known = this.#known.get(path);
    return known !== undefined && this.#now() < known.until ? known : undefined;
  }

  add(path: string, known: Known): void {
    if (this.#known.size >= mostKnown) this.#known.clear();
    this.#known.set(path, { ...known, until: this.#now() + knownFor });
  }

  /** It may have gone again. */
  forget(path: string): void {
    this.#known.delete(path);
  }
}
