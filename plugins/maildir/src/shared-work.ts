/** Work on one thing: what runs, and what begins behind it. */
interface Turns<T> {
  running: Promise<T>;
  next: Promise<T> | undefined;
}

/** Work that is done once for all who ask while it is being done for others: it begins after the last of them asked. */
export class SharedWork<T> {
  readonly #work: (on: string) => Promise<T>;
  readonly #turns = new Map<string, Turns<T>>();

  constructor(work: (on: string) => Promise<T>) {
    this.#work = work;
  }

  /** As work settles that begins now or later. */
  run(on: string): Promise<T> {
    const turns = this.#turns.get(on);
    if (turns === undefined) return this.#begin(on);
    const begin = (): Promise<T> => this.#begin(on);
    return (turns.next ??= turns.running.then(begin, begin));
  }

  #begin(on: string): Promise<T> {
    const running = this.#work(on);
    const turns: Turns<T> = { running, next: undefined };
    this.#turns.set(on, turns);
    const over = (): void => {
      if (turns.next === undefined) this.#turns.delete(on);
    };
    running.then(over, over);
    return running;
  }
}
