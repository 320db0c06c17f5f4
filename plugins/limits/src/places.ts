import type { Gauge } from "./gauge.ts";
import type { Keys } from "./keys.ts";
import { type Whom, whom } from "./limit.ts";
import type { Per } from "./options.ts";

/** The places of one session, to be given back once. */
export class Places {
  readonly #gauges: Readonly<Record<Whom, Gauge>>;
  readonly #taken = new Map<Whom, string>();
  #over = false;

  constructor(gauges: Readonly<Record<Whom, Gauge>>) {
    this.#gauges = gauges;
  }

  /** Takes one for each key; or says who has no more, and takes none of these. */
  take(keys: Keys, most: Per<number>): Whom | undefined {
    if (this.#over) return undefined; // nobody is there any more to give it back
    const fresh: Whom[] = [];
    for (const per of whom) {
      const [key, limit] = [keys[per], most[per]];
      if (key === undefined || limit === undefined || limit === false || this.#taken.get(per) === key) continue;
      this.#give(per);
      if (!this.#gauges[per].enter(key, limit)) {
        for (const one of fresh) this.#give(one);
        return per;
      }
      this.#taken.set(per, key);
      fresh.push(per);
    }
    return undefined;
  }

  /** Gives all of them back, for good. */
  close(): void {
    this.#over = true;
    for (const per of whom) this.#give(per);
  }

  #give(per: Whom): void {
    const key = this.#taken.get(per);
    if (key === undefined) return;
    this.#taken.delete(per);
    this.#gauges[per].leave(key);
  }
}
