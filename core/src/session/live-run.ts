import type { LiveGeneration } from "../host/generation.ts";
import type { Run } from "../host/run.ts";
import type { Clock, Log } from "../host/services.ts";
import type { TraceFacts } from "../host/trace.ts";
import { LiveSession, type Peer } from "./connection.ts";

/** The session under way, as the guard, the judges and the watchers know it. */
export class LiveRun implements Run {
  readonly clock: Clock;
  readonly log: Log;
  readonly traced: boolean;
  session: LiveSession;
  /** Async taps under way; most sessions never have one. */
  #watched: Set<AbortController> | undefined;
  readonly #generation: LiveGeneration;

  constructor(generation: LiveGeneration, peer: Peer, dryRun: boolean) {
    this.#generation = generation;
    this.clock = generation.services.clock;
    this.log = generation.services.log;
    this.traced = generation.traced;
    this.session = new LiveSession(
      generation.listener,
      { client: peer.client, local: peer.local, dryRun },
      this.clock.now(),
    );
  }

  trace(facts: TraceFacts): void {
    if (this.traced) this.#generation.hooks.trace.call({ ...facts, at: this.clock.now(), session: this.session });
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
