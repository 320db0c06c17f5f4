import type { Session } from "../protocol/session.ts";
import { describe, isThenable } from "./guard.ts";
import { type Log, logOf } from "./services.ts";

/** What a client did wrong. `refused`: a judge said 5yz. `credentials`: AUTH that identified nobody. */
export type Fault = "syntax" | "unknownCommand" | "refused" | "credentials";

type Called<Args extends readonly unknown[]> = (...args: Args) => void;

/**
 * Who counts what sessions come to, of all plugins of one generation. Told of faults and ends alone, where a trace
 * tells everything: nothing is made for them, and nobody there costs nothing (P8). Guarded like a watcher of the trace.
 */
export class Onlookers {
  readonly #faults: Called<[Session, Fault]>[] = [];
  readonly #ends: Called<[Session]>[] = [];
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  onFault(plugin: string, call: Called<[Session, Fault]>): void {
    this.#faults.push(guarded(call, this.#whenFailed(plugin)));
  }

  onEnd(plugin: string, call: Called<[Session]>): void {
    this.#ends.push(guarded(call, this.#whenFailed(plugin)));
  }

  faulted(session: Session, fault: Fault): void {
    for (const call of this.#faults) call(session, fault);
  }

  ended(session: Session): void {
    for (const call of this.#ends) call(session);
  }

  #whenFailed(plugin: string): (error: unknown) => void {
    const log = logOf(plugin, this.#log);
    let reported = "";
    return (error) => {
      const text = describe(error);
      if (text !== reported) log.error({ err: error }, `plugin ${plugin} failed beside a session: ${text}`);
      reported = text;
    };
  }
}

const guarded =
  <Args extends readonly unknown[]>(call: Called<Args>, failed: (error: unknown) => void): Called<Args> =>
  (...args) => {
    try {
      const returned: unknown = call(...args);
      // An async function fits the type: its rejection must not become the process's
      if (isThenable(returned)) returned.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  };
