interface Entry {
  readonly value: Promise<unknown>;
  readonly close: ((value: never) => void | Promise<void>) | undefined;
  users: number;
}

/** Values with one owner across listeners and generations: opened by the first user, closed with the last. */
export class SharedValues {
  readonly #entries = new Map<string, Entry>();

  /** The value, and the call that gives it back. */
  async take<T>(
    key: string,
    open: () => T | Promise<T>,
    close?: (value: T) => void | Promise<void>,
  ): Promise<{ value: T; give: () => Promise<void> }> {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { value: Promise.resolve().then(open), close, users: 0 };
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
    await entry.close?.((await entry.value) as never);
  }
}
