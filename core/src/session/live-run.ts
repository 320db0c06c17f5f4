import type { LiveGeneration } from "../host/generation.ts";
import type { Run } from "../host/run.ts";
import type { Clock, Log } from "../host/services.ts";
import type { TraceEvent } from "../host/trace.ts";
import { type Address, formatAddress } from "../protocol/address.ts";
import { LiveSession, type Peer } from "./connection.ts";

/** Milliseconds that may pass until the clock is read again. */
const noticed = 0.5;

/** The session under way, as the guard, the judges and the watchers know it. */
export class LiveRun implements Run {
  readonly clock: Clock;
  readonly log: Log;
  readonly traced: boolean;
  /** Whether somebody looks at bodies. */
  readonly bodiesTraced: boolean;
  session: LiveSession;
  /** Async taps under way; most sessions never have one. */
  #watched: Set<AbortController> | undefined;
  readonly #generation: LiveGeneration;
  /** The engine is at work, from the octets it got to the replies it gives. */
  #turn = false;
  /** Time of this turn, once somebody asked for it. */
  #at: number | undefined;
  #spelt: { readonly address: Address; readonly text: string } | undefined;

  constructor(generation: LiveGeneration, peer: Peer, dryRun: boolean) {
    this.#generation = generation;
    this.clock = generation.services.clock;
    this.log = generation.services.log;
    this.traced = generation.traced;
    this.bodiesTraced = generation.bodiesTraced;
    this.session = new LiveSession(
      generation.listener,
      { client: peer.client, local: peer.local, dryRun },
      this.clock.now(),
    );
  }

  /** A turn begins or ends. Within one the clock is read once: a hundred pipelined recipients are answered in the same millisecond. */
  turn(begins: boolean): void {
    this.#turn = begins;
    this.#at = undefined;
  }

  get at(): number {
    return this.#turn ? (this.#at ??= this.clock.now()) : this.clock.now();
  }

  took(milliseconds: number): void {
    if (milliseconds > noticed) this.#at = undefined;
  }

  spell(address: Address): string {
    // Every tap is asked about the same recipient, and then it is routed
    if (this.#spelt?.address !== address) this.#spelt = { address, text: formatAddress(address) };
    return this.#spelt.text;
  }

  trace(event: TraceEvent): void {
    this.#generation.hooks.trace.call(event);
  }

  watch(controller: AbortController): () => void {
    const watched = (this.#watched ??= new Set());
    watched.add(controller);
    return () => watched.delete(controller);
  }

  /** Tells every async tap under way that nobody waits for it any more. */
  abort(reason: string): void {
    for (const controller of this.#watched ?? []) controller.abort(new Error(reason));
  }
}
