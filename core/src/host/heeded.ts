/** A promise that knows whether anybody asked what became of it. What it rejects with ends no process. */
export class Heeded extends Promise<void> {
  #heeded = false;
  #failed = false;

  /** What is derived from it is a plain promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  static {
    Object.freeze(this.prototype);
  }

  static of(work: Promise<void>): Heeded {
    const its = new Heeded((resolve, reject) => void work.then(resolve, reject));
    void Promise.prototype.then.call(its, undefined, () => (its.#failed = true));
    return its;
  }

  /** It failed, and nobody knows. */
  get lost(): boolean {
    return this.#failed && !this.#heeded;
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is a promise: that is how one hears of it
  override then<A = void, B = never>(
    kept?: ((value: void) => A | PromiseLike<A>) | null,
    failed?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#heeded = true;
    return super.then(kept, failed);
  }
}
