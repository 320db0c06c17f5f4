import { type Clock, type Soon, soon } from "@mailhost/core";
import type { Counter } from "./counter.ts";
import { type Keys, isIpv6 } from "./keys.ts";

export interface TarpitRule {
  readonly after: number;
  readonly step: number;
  readonly most: number;
  readonly sessions: number;
}

/** How many wait, in all tarpits of one name: listeners and generations do not add up. */
export interface Waiting {
  sessions: number;
}

/** Makes clients wait that do much wrong: a little longer for each fault, and never more than so many of them. */
export class Tarpit {
  readonly #clock: Clock;
  readonly #counter: Counter;
  readonly #rule: TarpitRule;
  readonly #waiting: Waiting;

  constructor(clock: Clock, counter: Counter, rule: TarpitRule, waiting: Waiting) {
    this.#clock = clock;
    this.#counter = counter;
    this.#rule = rule;
    this.#waiting = waiting;
  }

  note(keys: Keys): Soon<unknown> {
    const key = clientKey(keys);
    return key === undefined ? undefined : this.#counter.add(key, 1);
  }

  /** Waits as long as the client has earned, or until `signal` says that nobody waits any more. */
  wait(keys: Keys, signal: AbortSignal): Soon<void> {
    const key = clientKey(keys);
    if (key === undefined) return;
    return soon(this.#counter.read(key), (faults) => {
      const { after, step, most, sessions } = this.#rule;
      const milliseconds = Math.min(Math.max(faults - after, 0) * step, most);
      if (milliseconds === 0 || this.#waiting.sessions >= sessions || signal.aborted) return;
      return this.#sleep(milliseconds, signal);
    });
  }

  #sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    this.#waiting.sessions += 1;
    return new Promise((resolve) => {
      const over = (): void => {
        cancel();
        signal.removeEventListener("abort", over);
        this.#waiting.sessions -= 1;
        resolve();
      };
      const cancel = this.#clock.after(milliseconds, over);
      signal.addEventListener("abort", over, { once: true });
    });
  }
}

/** Whoever has one IPv6 address of a network has them all. */
const clientKey = ({ address, network }: Keys): string | undefined =>
  address !== undefined && isIpv6(address) ? network : address;
