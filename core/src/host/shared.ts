interface Entry {
  readonly value: Promise<unknown>;
  readonly close: ((value: never) => void | Promise<void>) | undefined;
  users: number;
}

/** Values with one owner across listeners and generations: opened by the first user, closed with the last. */
export class SharedValues {
  readonly #entries = new Map<string, Entry>();
  /** Values on their way out: the next owner comes after the last one has gone. */
  readonly #closing = new Map<string, Promise<void>>();

  /** The value, and the call that gives it back. */
  async take<T>(
    key: string,
    open: () => T | Promise<T>,
    close?: (value: T) => void | Promise<void>,
  ): Promise<{ value: T; give: () => Promise<void> }> {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      const closed = this.#closing.get(key) ?? Promise.resolve();
      entry = { value: closed.then(open), close, users: 0 };
      this.#entries.set(key, entry);
    }
    entry.users += 1;
    const mine = entry;
    try {
      // One key, one type: it belongs to one plugin
      return { value: (await mine.value) as T, give: () => this.#give(key, mine) };
    } catch (error) {
      mine.users -= 1;
      if (this.#entries.get(key) === mine) this.#entries.delete(key);
      throw error;
    }
  }

  async #give(key: string, entry: Entry): Promise<void> {
    entry.users -= 1;
    if (entry.users > 0) return;
    this.#entries.delete(key);
    const closing = (async () => entry.close?.((await entry.value) as never))();
    const over = closing.catch(() => {}).then(() => void this.#closing.delete(key));
    this.#closing.set(key, over);
    await closing;
  }
}
