import { type Session, type TraceEvent, describeEdit, replyLines } from "@mailhost/core";
import { BodyPart, type BodyShown } from "./body-part.ts";
import { type Criteria, Gate, Room } from "./filter.ts";
import { type DumpRecord, type RecordFacts, makeRecord } from "./records.ts";

interface Watched {
  readonly gate: Gate;
  client: Session["client"];
  body: BodyPart | undefined;
}

/** Turns what happens into records, and hands on those of the sessions that are wanted. */
export class Watcher {
  readonly #criteria: Criteria;
  readonly #shown: BodyShown;
  readonly #emit: (record: DumpRecord) => void;
  readonly #room = new Room();
  readonly #open = new Map<string, Watched>();
  /** A message may still be on its way when its client is gone; the garbage collector knows when nobody speaks of it any more. */
  readonly #known = new WeakMap<Session, Watched>();

  constructor(criteria: Criteria, shown: BodyShown, emit: (record: DumpRecord) => void) {
    this.#criteria = criteria;
    this.#shown = shown;
    this.#emit = emit;
  }

  see(event: TraceEvent): void {
    const { session, at } = event;
    const watched = this.#find(session);
    const tell = (facts: RecordFacts): void => {
      for (const record of watched.gate.admit(makeRecord(at, session.id, facts), session)) this.#emit(record);
    };
    if (event.type === "body") return this.#seeBody(event, watched, tell);
    if (watched.body !== undefined) {
      tellPiece(watched.body, watched.body.end(), tell);
      watched.body = undefined;
    }
    if (session.client !== watched.client) {
      watched.client = session.client;
      tell({ type: "assumed", client: session.client });
    }
    tell(factsOf(event));
    if (event.type !== "close") return;
    watched.gate.close();
    this.#open.delete(session.id);
  }

  #seeBody(event: BodyEvent, watched: Watched, tell: (facts: RecordFacts) => void): void {
    watched.body ??= new BodyPart(event.transaction, this.#shown);
    tellPiece(watched.body, watched.body.push(event.octets), tell);
  }

  /** TLS and an assumed client make a new Session with the same id. */
  #find(session: Session): Watched {
    const known = this.#known.get(session);
    if (known !== undefined) return known;
    let watched = this.#open.get(session.id);
    if (watched === undefined) {
      watched = { gate: new Gate(this.#criteria, this.#room), client: session.client, body: undefined };
      this.#open.set(session.id, watched);
    }
    this.#known.set(session, watched);
    return watched;
  }
}

type BodyEvent = Extract<TraceEvent, { type: "body" }>;

function tellPiece(body: BodyPart, piece: ReturnType<BodyPart["end"]>, tell: (facts: RecordFacts) => void): void {
  if (piece !== undefined) tell({ type: "body", transaction: body.transaction, ...piece });
}

function factsOf(event: Exclude<TraceEvent, BodyEvent>): RecordFacts {
  const { type } = event;
  switch (type) {
    case "open": {
      const { listener, serverName, mode, client, local } = event.session;
      return { type, listener, server: serverName, mode, client: { ...client }, local: { ...local } };
    }
    case "client": {
      const { line, secret, fault } = event;
      return { type, line, ...(secret ? { secret } : {}), ...(fault === undefined ? {} : { fault }) };
    }
    case "server":
      return { type, line: event.line };
    case "secured":
      return { type, protocol: event.protocol, cipher: event.cipher };
    case "tap": {
      const { hook, plugin, version, tap, milliseconds, outcome, edits, transaction } = event;
      const facts = {
        type,
        hook,
        plugin,
        version,
        tap,
        milliseconds,
        outcome,
        edits: edits.map(describeEdit),
      } as const;
      return transaction === undefined ? facts : { ...facts, transaction };
    }
    case "route": {
      const { transaction, recipient, transport, nexthop } = event;
      const facts = { type, transaction, recipient, transport } as const;
      return nexthop === undefined ? facts : { ...facts, nexthop };
    }
    case "delivered":
      return { type, transaction: event.transaction, reply: replyLines(event.reply) };
    case "close":
      return { type, reason: event.reason };
  }
}
