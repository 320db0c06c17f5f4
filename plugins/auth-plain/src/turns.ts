interface Limits {
  readonly atOnce: number;
  readonly waiting: number;
  readonly waitingPerClient: number;
}

/**
 * Turns for costly work: so many at once, so many waiting, one after the other round all clients.
 * A client that guesses on fifty connections waits for itself, not the others for it.
 */
export class Turns {
  readonly #limits: Limits;
  #running = 0;
  #waiting = 0;
  /** What waits, by client; the client whose turn is next first. */
  readonly #queues = new Map<string, (() => void)[]>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** What the work comes to; undefined when there were too many, or when `signal` aborted before its turn. */
  take<T>(client: string, signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    const queue = this.#queues.get(client) ?? [];
    const full = this.#waiting >= this.#limits.waiting || queue.length >= this.#limits.waitingPerClient;
    if (full || signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#drop(client, run);
        resolve(undefined);
      };
      const run = (): void => {
        signal.removeEventListener("abort", leave);
        this.#running += 1;
        void work()
          .then(resolve, reject)
          .finally(() => {
            this.#running -= 1;
            this.#next();
          });
      };
      signal.addEventListener("abort", leave, { once: true });
      queue.push(run);
      this.#queues.set(client, queue);
      this.#waiting += 1;
      this.#next();
    });
  }

  #drop(client: string, run: () => void): void {
    const left = (this.#queues.get(client) ?? []).filter((one) => one !== run);
    this.#waiting -= 1;
    if (left.length > 0) this.#queues.set(client, left);
    else this.#queues.delete(client);
  }

  #next(): void {
    while (this.#running < this.#limits.atOnce) {
      const [first] = this.#queues;
      if (first === undefined) return;
      const [client, [run, ...left]] = first;
      this.#waiting -= 1;
      // To the end of the round
      this.#queues.delete(client);
      if (left.length > 0) this.#queues.set(client, left);
      run?.();
    }
  }
}
