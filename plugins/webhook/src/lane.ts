import { setMaxListeners } from "node:events";
import http from "node:http";
import https from "node:https";
import type { Clock } from "@mailhost/core";

/** The way to one endpoint: so many requests at a time, over connections that are kept. */
export class Lane {
  /** Keeps connections. */
  readonly agent: http.Agent;
  /** Makes a new connection for each request: what is kept may have been closed at the other end, all of it. */
  readonly freshAgent: http.Agent;
  readonly #closing = new AbortController();
  readonly #waiting = new Set<() => void>();
  #free: number;

  /** `ca` in PEM; the well-known authorities when it is undefined. */
  constructor(url: URL, concurrency: number, ca: string | undefined) {
    this.#free = concurrency;
    setMaxListeners(0, this.signal);
    const make = (options: http.AgentOptions): http.Agent =>
      url.protocol === "https:"
        ? new https.Agent({ ...options, ...(ca === undefined ? {} : { ca }) })
        : new http.Agent(options);
    this.agent = make({ keepAlive: true, maxFreeSockets: concurrency });
    this.freshAgent = make({ keepAlive: false });
  }

  /** Aborts when nobody waits for an answer any more. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** Waits for a turn, first come, first served. The result ends it; undefined when none came in time. */
  enter(clock: Clock, milliseconds: number): Promise<(() => void) | undefined> {
    if (this.#free > 0) return Promise.resolve(this.#take());
    return new Promise((resolve) => {
      const take = (): void => {
        cancel();
        resolve(this.#take());
      };
      const cancel = clock.after(milliseconds, () => {
        this.#waiting.delete(take);
        resolve(undefined);
      });
      this.#waiting.add(take);
    });
  }

  close(): void {
    this.#closing.abort(new Error("the server closed"));
    this.agent.destroy();
    this.freshAgent.destroy();
  }

  #take(): () => void {
    this.#free -= 1;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#free += 1;
      const [next] = this.#waiting;
      if (next === undefined) return;
      this.#waiting.delete(next);
      next();
    };
  }
}
