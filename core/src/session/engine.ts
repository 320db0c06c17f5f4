import type { LiveGeneration } from "../host/generation.ts";
import type { SpoolPlace } from "../message/spool.ts";
import { replies } from "../protocol/replies.ts";
import type { Upgrade } from "../protocol/machine.ts";
import type { Reply } from "../protocol/reply.ts";
import type { TlsInfo } from "../protocol/session.ts";
import { type LiveSession, type Peer, note } from "./connection.ts";
import { Conversation } from "./conversation.ts";
import type { Floor } from "./floor.ts";
import { Hearing } from "./hearing.ts";
import { LiveRun } from "./live-run.ts";
import { Output } from "./output.ts";
import { type Reading, closed, preamble } from "./reading.ts";
import { Telling } from "./telling.ts";
import { TimeLimits, type Timed } from "./time-limits.ts";
import type { Engine, Wire } from "./wire.ts";

/** Octets held while the client waits for us: a disconnect behind them is noticed, no more is read (P10). */
const lookAheadOctets = 64 * 1024;

export interface EngineOptions {
  readonly generation: LiveGeneration;
  readonly wire: Wire;
  readonly peer: Peer;
  readonly spool: SpoolPlace;
  /** Stage and abort instead of delivering. */
  readonly dryRun?: boolean;
  readonly keeper?: Keeper;
}

/** Who has a place for the dialogue while it lasts. */
export interface Keeper {
  /** Nothing more will happen: the connection is closed and no message is under way. */
  over(): void;
}

/** One dialogue over any wire (P2): reads as long as there is something to read and nobody to wait for, and holds the client back. */
export class SessionEngine implements Engine, Floor, Timed {
  readonly #generation: LiveGeneration;
  readonly #wire: Wire;
  readonly #run: LiveRun;
  readonly #output: Output;
  readonly #telling: Telling;
  readonly #conversation: Conversation;
  readonly #keeper: Keeper | undefined;
  readonly #hearing: Hearing;
  readonly #time: TimeLimits;
  #running = false;
  #paused = false;
  #draining = false;
  #ended = false;
  #gone = false;
  #finished = false;

  constructor({ generation, wire, peer, spool, dryRun = false, keeper }: EngineOptions) {
    this.#generation = generation;
    this.#wire = wire;
    this.#keeper = keeper;
    this.#run = new LiveRun(generation, peer, dryRun);
    this.#output = new Output(wire);
    this.#telling = new Telling(this.#run, generation.vocabulary.mechanisms);
    this.#conversation = new Conversation(generation, this.#run, this.#telling, this, spool);
    this.#hearing = new Hearing(generation, this.#run, this.#telling, this.#conversation, this);
    this.#time = new TimeLimits(generation, this);
  }

  get session(): LiveSession {
    return this.#run.session;
  }

  // -- what happens on the wire ------------------------------------------------------------------

  start(): void {
    this.#telling.opened();
    this.#time.begin();
    const first = this.#generation.vocabulary.preamble;
    if (first?.kind === "upgrade") return this.#conversation.secure(first.upgrade);
    if (first?.kind === "read") this.#conversation.reading = preamble;
    else this.#conversation.open();
    this.resume();
  }

  receive(octets: Uint8Array): void {
    const { what } = this.#conversation.reading;
    if (what === "closed") return;
    if (!this.#conversation.greeted && what !== "preamble") note(this.session, { spokeEarly: true });
    this.#hearing.input.push(octets);
    this.resume();
    this.#hearing.input.keep();
  }

  drained(): void {
    this.#output.congested = false;
    this.resume();
  }

  secured(tls: TlsInfo | undefined): void {
    if (this.#conversation.reading.what === "closed") return;
    // They came in clear: whatever the wire does, they never run inside TLS (CVE-2011-0411)
    if (this.#hearing.input.length > 0) return this.hangUp("octets in clear before TLS");
    this.#output.congested = false; // whoever shook hands has read what was before
    this.#conversation.secured(tls);
    this.resume();
  }

  ended(): void {
    this.#ended = true;
    const waits = this.#conversation.reading.what === "nothing" && this.#hearing.input.length === 0;
    if (waits && !this.#conversation.delivering) this.hangUp("disconnected");
    else this.#go();
  }

  gone(reason: string): void {
    if (this.#gone) return;
    this.#gone = true;
    const reading = this.#conversation.reading;
    if (reading.what === "body") void reading.intake.receiver.discard();
    this.#conversation.reading = closed;
    this.#hearing.input.clear();
    this.#time.end();
    const { delivering } = this.#conversation;
    this.#telling.closed(reason, delivering);
    // A message that has arrived whole goes its way: clients close without waiting for the 250
    if (!delivering) this.#run.abort(reason);
    this.#finish();
  }

  drain(): void {
    this.#draining = true;
    // Whoever is not greeted yet has nothing to finish, however long plugins let it wait (RFC 5321 §3.1)
    if (this.#conversation.opening && this.#conversation.reading.what !== "closed")
      this.#conversation.close(replies.shuttingDown);
    else this.#go();
  }

  stop(): void {
    this.#run.abort("shutdown");
    if (this.#conversation.securing) this.hangUp("shutdown");
    else if (this.#conversation.reading.what !== "closed") this.#conversation.close(replies.shuttingDown);
  }

  // -- what its time is kept by -------------------------------------------------------------------

  get reading(): Reading {
    return this.#conversation.reading;
  }

  get waitsForUs(): boolean {
    return this.reading.what === "nothing" && !this.#output.congested;
  }

  close(reply: Reply): void {
    this.#conversation.close(reply);
  }

  // -- what the conversation asks for ---------------------------------------------------------------

  send(reply: Reply): void {
    this.#output.send(reply);
  }

  flush(): void {
    this.#output.flush();
  }

  get pending(): number {
    return this.#hearing.input.length;
  }

  upgrade(upgrade: Upgrade): void {
    this.#wire.upgrade(upgrade);
  }

  // -- the loop ----------------------------------------------------------------------------------

  resume(): void {
    this.#go();
    this.#time.touch();
  }

  /** Reads while there is something to read and nobody to wait for, then writes all replies at once. */
  #go(): void {
    if (this.#running) return;
    this.#running = true;
    this.#run.turn(true);
    try {
      while (this.#mayRead() && this.#hearing.next());
      if (this.#draining && this.#idle && !this.#hearing.turn.resting) this.#conversation.close(replies.shuttingDown);
      this.#output.flush();
      const reads =
        this.#conversation.reading.what !== "nothing" && !this.#hearing.turn.resting && !this.#output.congested;
      if (this.#ended && reads) this.hangUp("disconnected");
    } catch (error) {
      this.#run.log.error({ err: error, session: this.session.id }, "the engine failed");
      this.#conversation.close(replies.internal);
    } finally {
      this.#running = false;
      this.#run.turn(false);
    }
    this.#holdBack();
    this.#finish();
  }

  #mayRead(): boolean {
    const { what } = this.#conversation.reading;
    if (what === "nothing" || what === "closed" || this.#hearing.input.length === 0 || this.#output.congested)
      return false;
    this.#hearing.turn.yield();
    return !this.#hearing.turn.resting;
  }

  get #idle(): boolean {
    const { what } = this.#conversation.reading;
    return what === "commands" || what === "line" || what === "preamble";
  }

  // -- holding back, ending ---------------------------------------------------------

  /** Nothing is read while replies are unsent or others have their turn, and little while somebody judges (P10). */
  #holdBack(): void {
    if (this.#conversation.reading.what === "closed") return;
    const waits = this.#conversation.reading.what === "nothing" && this.#hearing.input.length >= lookAheadOctets;
    const hold = this.#output.congested || this.#hearing.turn.resting || waits;
    if (hold === this.#paused) return;
    this.#paused = hold;
    if (hold) this.#wire.pause();
    else this.#wire.resume();
  }

  hangUp(reason: string): void {
    if (this.#gone) return;
    this.gone(reason);
    this.#wire.end();
  }

  /** Tells once that all is over: the connection, and the message that may have outlived it. */
  #finish(): void {
    if (!this.#gone || this.#conversation.delivering || this.#finished) return;
    this.#finished = true;
    this.#generation.onlookers.ended(this.session);
    this.#keeper?.over();
  }
}
