import type { Address } from "../protocol/address.ts";
import type { Session } from "../protocol/session.ts";
import type { Lender } from "./handle.ts";
import type { Clock, Log } from "./services.ts";
import type { TraceEvent } from "./trace.ts";

/** What the guard needs to know of the connection a tap works for. */
export interface Run {
  readonly session: Session;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether anybody watches. */
  readonly traced: boolean;
  /** Host-clock time for what is traced. */
  readonly at: number;
  /** Something took so long: events that come next have times of their own. */
  took(milliseconds: number): void;
  /** The address as watchers see it. */
  spell(address: Address): string;
  /** Tells all who watch. An event is made whole where it happens: one object, and none when nobody watches. */
  trace(event: TraceEvent): void;
  /** Aborted when the client is seen to be gone, or the server shuts down. Undone by the result. */
  watch(controller: AbortController): () => void;
}

/** One call of a hook: the thing judged, what else its taps see, and for whom. */
export interface Call<H, Rest extends readonly unknown[]> {
  readonly subject: Lender<H>;
  readonly rest: Rest;
  readonly run: Run;
  readonly transaction?: string | undefined;
  /** The address that is judged. */
  readonly recipient?: Address | undefined;
}
