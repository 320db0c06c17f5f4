import { ConfigurationError, type Problem } from "../host/problems.ts";
import type { SpoolPlace } from "../message/spool.ts";
import type { Built } from "./build.ts";
import { listenProblem } from "./listen-problem.ts";
import { ConnectionCount, Listener } from "./listener.ts";
import type { Retirement } from "./retirement.ts";
import type { Place } from "./settings.ts";

/** Where the server can be reached. */
export interface ListeningAddress {
  readonly listener: string;
  readonly address: string;
  readonly port: number;
}

/** The listening sockets of one server, and which of them stay when its options change. */
export class Listeners {
  readonly #count = new ConnectionCount();
  readonly #retirement: Retirement;
  #open: ReadonlyMap<string, Listener> = new Map();
  /** Those that a change left without a place: their sessions finish. */
  readonly #left = new Set<Listener>();
  /** Those that were told to close. */
  readonly #closing = new Set<Listener>();

  constructor(retirement: Retirement) {
    this.#retirement = retirement;
  }

  get listening(): boolean {
    return this.#open.size > 0;
  }

  get addresses(): readonly ListeningAddress[] {
    return [...this.#open].flatMap(([listener, { address }]) =>
      address === undefined ? [] : [{ listener, address: address.address, port: address.port }],
    );
  }

  /**
   * Sockets that stay get the new generation, whatever their listener is called now; new ones are opened first,
   * so an error leaves all as it was; the rest are left.
   */
  async open(built: readonly Built[], spool: SpoolPlace): Promise<void> {
    const next = new Map<string, Listener>();
    const opened: Listener[] = [];
    const problems: Problem[] = [];
    for (const {
      plan: { place, blueprint },
      generation,
    } of built) {
      const { name } = blueprint.listener;
      const staying = this.#staying(name, place, next);
      const listener = staying ?? new Listener(generation, place, spool, this.#count);
      next.set(name, listener);
      if (staying !== undefined) continue;
      try {
        await listener.listen();
        opened.push(listener);
      } catch (error) {
        const ours = [...this.#open.values()].some((one) => one.place.port === place.port);
        problems.push(listenProblem(error, place, blueprint.where, ours));
      }
    }
    if (problems.length > 0) {
      await Promise.all(opened.map((one) => one.close(0)));
      throw new ConfigurationError(problems);
    }
    for (const {
      plan: { blueprint },
      generation,
    } of built) {
      const listener = next.get(blueprint.listener.name);
      if (listener === undefined) continue;
      listener.generation = generation;
      listener.spool = spool;
    }
    this.#listenOn(next);
  }

  /** No new connections; open sessions end when their clients have done what they came for. */
  leave(): void {
    this.#listenOn(new Map());
  }

  /** No new connections, and sessions get `timeouts.drain` to finish. Closes those there are now, each once. */
  async close(): Promise<void> {
    const open = [...this.#open.values(), ...this.#left].filter((one) => !this.#closing.has(one));
    for (const one of open) this.#closing.add(one);
    await Promise.all(open.map((one) => one.close(one.generation.timeouts.drain)));
  }

  /** What listened so far and does not any more is left. */
  #listenOn(next: ReadonlyMap<string, Listener>): void {
    const before = this.#open;
    this.#open = next;
    const stayed = new Set(next.values());
    for (const listener of before.values())
      if (!stayed.has(listener) && !this.#closing.has(listener)) this.#leave(listener);
  }

  #leave(listener: Listener): void {
    this.#left.add(listener);
    this.#retirement.waitFor(listener.leave().finally(() => this.#left.delete(listener)));
  }

  /** What listens at that place already, and is taken by no other name. Port 0 is a place only together with its name. */
  #staying(name: string, { host, port, fd }: Place, taken: ReadonlyMap<string, Listener>): Listener | undefined {
    const others = new Set(taken.values());
    for (const [its, listener] of this.#open) {
      const { place } = listener;
      const same = place.host === host && place.port === port && place.fd === fd;
      const nameless = port !== 0 || fd !== undefined;
      if (same && (nameless || its === name) && !others.has(listener)) return listener;
    }
    return undefined;
  }
}
