import type { Judges } from "../protocol/machine.ts";
import type { Soon } from "../protocol/soon.ts";
import type { Clock } from "./services.ts";

/** How long a verb may take to answer. Whoever waits for a judge is not late: judges have deadlines of their own. */
export class Patience {
  readonly #clock: Clock;
  readonly #milliseconds: number;
  #judging = 0;
  /** Somebody waits: what to do when it takes too long. */
  #late: (() => void) | undefined;
  #cancel = (): void => {};

  constructor({ clock, deadline }: { clock: Clock; deadline: number }) {
    this.#clock = clock;
    this.#milliseconds = deadline;
  }

  /** The judges, asked while the time stands still. */
  asked(judges: Judges): Judges {
    return {
      greeting: (greeting) => this.#judged(judges.greeting(greeting)),
      credentials: (credentials) => this.#judged(judges.credentials(credentials)),
      recipient: (path, transaction) => this.#judged(judges.recipient(path, transaction)),
    };
  }

  #judged<T>(outcome: Soon<T>): Soon<T> {
    if (!(outcome instanceof Promise)) return outcome;
    this.#judging += 1;
    this.#watch();
    return outcome.finally(() => {
      this.#judging -= 1;
      this.#watch();
    });
  }

  /** The answer, or a rejection when it does not come in time. */
  wait<T>(answer: PromiseLike<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#late = () => reject(new Error(`no answer within ${this.#milliseconds} ms`));
      this.#watch();
      // What a thenable gives may be one again, and never come: whoever waits for it here could not give it up any more
      Promise.resolve(answer).then(resolve, reject);
    }).finally(() => {
      this.#late = undefined;
      this.#watch();
    });
  }

  #watch(): void {
    this.#cancel();
    this.#cancel = (): void => {};
    if (this.#late !== undefined && this.#judging === 0)
      this.#cancel = this.#clock.after(this.#milliseconds, this.#late);
  }
}
