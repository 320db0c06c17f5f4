import type { Session, TraceEvent } from "@mailhost/core";

type Of<Type extends TraceEvent["type"]> = Extract<TraceEvent, { type: Type }>;

/** What a row is made of when the record is told. Until then nothing is computed. */
export type Note =
  | {
      readonly type: "tap";
      /** Milliseconds of the monotonic clock. */
      readonly time: number;
      readonly event: Of<"tap">;
    }
  | { readonly type: "event"; readonly time: number; readonly event: Of<"route"> | Of<"delivered"> }
  | { readonly type: "body"; readonly time: number; readonly transaction: string; until: number; octets: number };

/** Room for the notes of all sessions together: many clients at once take no more than this (P10). */
export class Room {
  readonly most: number;
  held = 0;

  constructor(most: number) {
    this.most = most;
  }
}

/** One session under way: notes what happens, as little as can be, so that watching costs little. */
export class Progress {
  session: Session;
  /** When the session was there: milliseconds of the monotonic clock. */
  readonly opened: number;
  /** The same, since the epoch, of the host's clock. */
  readonly startedAt: number;
  part = 1;
  notes: Note[] = [];
  dropped = 0;
  end: string | undefined;
  readonly #room: Room;
  readonly #most: number;
  #body: (Note & { type: "body" }) | undefined;

  /** At most `most` notes are held at once. */
  constructor({ session, at }: TraceEvent, time: number, most: number, room: Room) {
    this.#most = most;
    this.#room = room;
    this.session = session;
    this.startedAt = at;
    this.opened = time;
  }

  see(event: TraceEvent, time: number): void {
    this.session = event.session;
    switch (event.type) {
      case "tap":
        this.#note({ type: "tap", time, event });
        break;
      case "route":
        this.#note({ type: "event", time, event });
        break;
      case "body":
        this.#seeBody(event, time);
        break;
      case "delivered":
        this.#body = undefined;
        this.#note({ type: "event", time, event });
        break;
      default:
    }
  }

  /** What is behind is told: another part begins. */
  turn(): void {
    this.#room.held -= this.notes.length;
    this.notes = [];
    this.dropped = 0;
    this.part += 1;
  }

  #seeBody({ count, transaction }: Of<"body">, time: number): void {
    if (this.#body?.transaction !== transaction) {
      this.#body = { type: "body", time, transaction, until: time, octets: 0 };
      this.#note(this.#body);
    }
    this.#body.until = time;
    this.#body.octets += count;
  }

  #note(note: Note): void {
    if (this.notes.length >= this.#most || this.#room.held >= this.#room.most) {
      this.dropped += 1;
      return;
    }
    this.notes.push(note);
    this.#room.held += 1;
  }
}
