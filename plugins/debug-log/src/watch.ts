import type { Session, TraceEvent } from "@mailhost/core";
import { BodyPart, type BodyShown, type Piece } from "./body-part.ts";
import { type Criteria, Gate, Room } from "./filter.ts";
import type { BodyEvent, DroppedSeen, Seen } from "./seen.ts";

interface Watched {
  readonly gate: Gate;
  session: Session;
  body: BodyPart | undefined;
}

/** Sees what happens, and hands on what is wanted. */
export class Watcher {
  readonly #criteria: Criteria;
  readonly #shown: BodyShown;
  readonly #emit: (seen: Seen) => void;
  readonly #room = new Room();
  readonly #open = new Map<string, Watched>();
  /** A message may still be on its way when its client is gone; the garbage collector knows when nobody speaks of it any more. */
  readonly #known = new WeakMap<Session, Watched>();
  /** Nearly always the one of the event before. */
  #last: Watched | undefined;

  constructor(criteria: Criteria, shown: BodyShown, emit: (seen: Seen) => void) {
    this.#criteria = criteria;
    this.#shown = shown;
    this.#emit = emit;
  }

  see(event: TraceEvent): void {
    const { session } = event;
    const watched = this.#last?.session === session ? this.#last : this.#find(session);
    if (event.type === "body") return this.#seeBody(event, watched);
    if (watched.body !== undefined) this.#endBody(event, watched, watched.body);
    if (watched.session !== session) this.#seeChange(event, watched);
    this.#tell(event, watched);
    if (event.type !== "close") return;
    watched.gate.close();
    this.#open.delete(session.id);
  }

  #tell(seen: Exclude<Seen, DroppedSeen>, { gate }: Watched): void {
    if (gate.open) this.#emit(seen);
    else for (const one of gate.admit(seen)) this.#emit(one);
  }

  #seeBody(event: BodyEvent, watched: Watched): void {
    watched.body ??= new BodyPart(event.transaction, this.#shown);
    this.#tellPiece(event, watched, watched.body, watched.body.push(event.octets, event.count));
  }

  #endBody(event: TraceEvent, watched: Watched, body: BodyPart): void {
    watched.body = undefined;
    this.#tellPiece(event, watched, body, body.end());
  }

  #tellPiece({ at, session }: TraceEvent, watched: Watched, { transaction }: BodyPart, piece: Piece | undefined): void {
    if (piece === undefined) return;
    const { octets, shown } = piece;
    this.#tell({ type: "piece", at, session, transaction, octets, shown }, watched);
  }

  /** TLS or an assumed client made a new Session. */
  #seeChange({ at, session }: TraceEvent, watched: Watched): void {
    const { client } = watched.session;
    watched.session = session;
    if (session.client !== client) this.#tell({ type: "assumed", at, session }, watched);
  }

  /** TLS and an assumed client make a new Session with the same id. */
  #find(session: Session): Watched {
    let watched = this.#known.get(session) ?? this.#open.get(session.id);
    if (watched === undefined) {
      watched = { gate: new Gate(this.#criteria, this.#room), session, body: undefined };
      this.#open.set(session.id, watched);
    }
    this.#known.set(session, watched);
    this.#last = watched;
    return watched;
  }
}
