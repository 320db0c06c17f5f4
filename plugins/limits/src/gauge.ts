/** How many are there at once, by key. What is not there takes no memory. */
export class Gauge {
  readonly #there = new Map<string, number>();

  /** Takes a place; false when `most` are taken. */
  enter(key: string, most: number): boolean {
    const there = this.#there.get(key) ?? 0;
    if (there >= most) return false;
    this.#there.set(key, there + 1);
    return true;
  }

  leave(key: string): void {
    const there = (this.#there.get(key) ?? 0) - 1;
    if (there > 0) this.#there.set(key, there);
    else this.#there.delete(key);
  }

  get size(): number {
    return this.#there.size;
  }
}
