/**
 * Changes of a server, one at a time: of two at once the generation of the first, or what opens while all closes, would
 * never be closed.
 */
export class Changes {
  #last: Promise<void> = Promise.resolve();
  #over = false;

  /** Rejects with what `work` rejects with, or because no change comes any more. */
  make(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(() => {
      this.mustGoOn();
      return work();
    });
    this.#last = done.catch(() => {});
    return done;
  }

  /** Throws once `end` was called. */
  mustGoOn(): void {
    if (this.#over) throw new Error("the server is closed");
  }

  /** No further one. False when the one under way is not done within so many milliseconds. */
  async end(milliseconds: number): Promise<boolean> {
    this.#over = true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), milliseconds);
    });
    const inTime = await Promise.race([this.#last.then(() => true), late]);
    clearTimeout(timer);
    return inTime;
  }
}
