import type { Edit } from "./edit.ts";

/**
 * What a tap holds of the thing it judges. What it does counts only once it settled in time without failing;
 * until then it is kept aside, and a handle that was given back does nothing more.
 */
export abstract class Handle {
  #alive = false;
  #borrower = "";

  /** Lends the handle to a tap of that plugin. @internal */
  lend(borrower: string): void {
    this.#alive = true;
    this.#borrower = borrower;
  }

  /** Plugin that holds it. */
  protected get borrower(): string {
    return this.#borrower;
  }

  /** What the tap began and did not wait for: it has failed then. @internal */
  get unfinished(): string | undefined {
    return undefined;
  }

  /** Gives the handle back: keeps what was done, or forgets it. Returns what was done when `tell`. @internal */
  settle(keep: boolean, tell: boolean): readonly Edit[] {
    if (!this.#alive) return none;
    this.#alive = false;
    const edits = tell && keep ? this.edits() : none;
    if (keep) this.keep();
    else this.forget();
    return edits;
  }

  /** Whether what the tap does still counts. */
  protected get alive(): boolean {
    return this.#alive;
  }

  protected abstract edits(): readonly Edit[];
  protected abstract keep(): void;
  protected abstract forget(): void;
}

// Handles of every plugin share it
Object.freeze(Handle.prototype);

const none: readonly Edit[] = [];

/** Lends handles: one that serves all sync taps in turn, a new one for each async tap. */
export interface Lender<H> {
  readonly shared: H;
  fresh(): H;
}

/** For hooks whose taps can only look. */
export const lookOnly = <T>(thing: T): Lender<T> => ({ shared: thing, fresh: () => thing });
