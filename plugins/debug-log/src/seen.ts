import type { Session, TraceEvent } from "@mailhost/core";

export type BodyEvent = Extract<TraceEvent, { type: "body" }>;

/**
 * What is written of a session: events as core tells them, but bodies put together from their cuts, and what only this
 * plugin knows. Both forms are made from it, so that nothing stands between an event and its line.
 */
export type Seen = Exclude<TraceEvent, BodyEvent> | PieceSeen | AssumedSeen | DroppedSeen;

export interface PieceSeen {
  readonly type: "piece";
  readonly at: number;
  readonly session: Session;
  readonly transaction: string;
  /** How many there were. */
  readonly octets: number;
  /** The first of them, as far as they may be seen. */
  readonly shown: Buffer;
}

/** A trusted intermediary named the client: it is the session's. */
export interface AssumedSeen {
  readonly type: "assumed";
  readonly at: number;
  readonly session: Session;
}

/** Of one session, or of any when the id is empty. */
export interface DroppedSeen {
  readonly type: "dropped";
  readonly at: number;
  readonly session: Pick<Session, "id">;
  readonly records: number;
}
