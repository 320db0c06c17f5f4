import type { Session, TraceEvent } from "@mailhost/core";
import { buildWaterfall } from "./build.ts";
import { Progress, Room } from "./progress.ts";
import type { Waterfall } from "./record.ts";

/** What is collected, and when it is told. */
export interface CollectorOptions {
  /** Rows kept of a session until they are told; 500 unless told otherwise. Those that follow are counted. */
  readonly rows?: number | undefined;
  /** One record a session, or one a message with what came before it; `session` unless told otherwise. */
  readonly each?: "session" | "message" | undefined;
  /** Whether sessions of this client are looked at: all, unless told otherwise. */
  readonly wanted?: ((session: Session) => boolean) | undefined;
}

/** Rows kept of all sessions together, some 40 MB when each is as large as it gets. */
const roomForAll = 50_000;

/** Gets the record, and the session as it was last. */
export type Teller = (waterfall: Waterfall, session: Session) => void;

/**
 * Turns trace events into one record per session: `host.hooks.trace.tap("waterfall", (event) => collector.see(event))`.
 * The record is told when the connection is closed and the message that may have outlived it is answered.
 */
export class Collector {
  readonly #tell: Teller;
  readonly #most: number;
  readonly #room: Room;
  readonly #perMessage: boolean;
  readonly #wanted: (session: Session) => boolean;
  readonly #open = new Map<string, Progress>();

  constructor(tell: Teller, { rows = 500, each = "session", wanted = () => true }: CollectorOptions = {}) {
    this.#tell = tell;
    this.#most = rows;
    this.#room = new Room(Math.max(rows, roomForAll));
    this.#perMessage = each === "message";
    this.#wanted = wanted;
  }

  /** Sessions under way. */
  get size(): number {
    return this.#open.size;
  }

  see(event: TraceEvent): void {
    const { session } = event;
    const time = performance.now();
    if (event.type === "open") this.#open.set(session.id, new Progress(event, time, this.#most, this.#room));
    const progress = this.#open.get(session.id);
    if (progress === undefined) return; // a tap that settled after all was over
    if (event.type === "close") {
      progress.end = event.reason;
      if (!event.delivering) this.#finish(progress, time);
      return;
    }
    // What an intermediary says of itself is not of the client it names: sessions change, the id stays
    if (!this.#wanted(session)) return;
    progress.see(event, time);
    if (event.type !== "delivered") return;
    if (progress.end !== undefined) this.#finish(progress, time);
    else if (this.#perMessage) this.#turn(progress, time);
  }

  /** Tells what is under way, and forgets it: nobody waits any longer. */
  finish(): void {
    const time = performance.now();
    for (const progress of this.#open.values()) this.#finish(progress, time);
  }

  #finish(progress: Progress, time: number): void {
    this.#open.delete(progress.session.id);
    this.#turn(progress, time);
  }

  /** Tells what there is. A session nobody judged has no waterfall. */
  #turn(progress: Progress, time: number): void {
    if (progress.notes.length === 0 && progress.dropped === 0) return;
    const waterfall = buildWaterfall(progress, time);
    const { session } = progress;
    progress.turn();
    this.#tell(waterfall, session);
  }
}
