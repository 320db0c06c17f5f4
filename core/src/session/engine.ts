import type { LiveGeneration } from "../host/generation.ts";
import type { SpoolPlace } from "../message/spool.ts";
import { giveBack } from "../message/give-back.ts";
import { Input } from "../protocol/lines.ts";
import { replies } from "../protocol/replies.ts";
import type { Upgrade } from "../protocol/machine.ts";
import type { Reply } from "../protocol/reply.ts";
import type { TlsInfo } from "../protocol/session.ts";
import type { BodyIntake } from "./body.ts";
import { type LiveSession, type Peer, note } from "./connection.ts";
import { Conversation, type Floor } from "./conversation.ts";
import type { Due } from "../host/deadlines.ts";
import { LiveRun } from "./live-run.ts";
import { Output } from "./output.ts";
import { closed, nothing, preamble } from "./reading.ts";
import { Turn } from "./turn.ts";
import type { Engine, Wire } from "./wire.ts";

/** Octets held while the client waits for us: a disconnect behind them is noticed, no more is read (P10). */
const lookAheadOctets = 64 * 1024;

/** What is shown of a body to those who only count. */
const unseen = new Uint8Array(0);

/** First octet of a TLS handshake: somebody took this port for one with implicit TLS. */
const tlsHandshakeRecord = 0x16;

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

/** One dialogue over any wire (P2): cuts what arrives into lines and bodies, gathers replies, holds back, keeps time. */
export class SessionEngine implements Engine, Floor, Due {
  readonly #generation: LiveGeneration;
  readonly #wire: Wire;
  readonly #run: LiveRun;
  readonly #input = new Input(giveBack);
  readonly #output: Output;
  readonly #conversation: Conversation;
  readonly #keeper: Keeper | undefined;
  /** Among those who wait for a deadline. */
  place = -1;
  dueAt = Infinity;
  #running = false;
  /** It had its turn: others are heard first. */
  #resting = false;
  readonly #turn = new Turn();
  #paused = false;
  #draining = false;
  #ended = false;
  #gone = false;
  #finished = false;
  #firstOctet = true;

  constructor({ generation, wire, peer, spool, dryRun = false, keeper }: EngineOptions) {
    this.#generation = generation;
    this.#wire = wire;
    this.#keeper = keeper;
    this.#run = new LiveRun(generation, peer, dryRun);
    this.#output = new Output(wire);
    this.#conversation = new Conversation(generation, this.#run, this, spool);
  }

  get session(): LiveSession {
    return this.#run.session;
  }

  get #reading() {
    return this.#conversation.reading;
  }

  // -- what happens on the wire ------------------------------------------------------------------

  start(): void {
    if (this.#run.traced) this.#run.trace({ type: "open", at: this.#run.at, session: this.session });
    this.#generation.deadlines.add(this);
    const first = this.#generation.vocabulary.preamble;
    if (first?.kind === "upgrade") return this.#conversation.secure(first.upgrade);
    if (first?.kind === "read") this.#conversation.reading = preamble;
    else this.#conversation.open();
    this.resume();
  }

  receive(octets: Uint8Array): void {
    const { what } = this.#reading;
    if (what === "closed") return;
    if (!this.#conversation.greeted && what !== "preamble") note(this.session, { spokeEarly: true });
    this.#input.push(octets);
    this.resume();
    this.#input.keep();
  }

  drained(): void {
    this.#output.congested = false;
    this.resume();
  }

  secured(tls: TlsInfo | undefined): void {
    if (this.#reading.what === "closed") return;
    // They came in clear: whatever the wire does, they never run inside TLS (CVE-2011-0411)
    if (this.#input.length > 0) return this.hangUp("octets in clear before TLS");
    this.#output.congested = false; // whoever shook hands has read what was before
    this.#conversation.secured(tls);
    this.resume();
  }

  ended(): void {
    this.#ended = true;
    const waits = this.#reading.what === "nothing" && this.#input.length === 0;
    if (waits && !this.#conversation.delivering) this.hangUp("disconnected");
    else this.#go();
  }

  gone(reason: string): void {
    if (this.#gone) return;
    this.#gone = true;
    const reading = this.#reading;
    if (reading.what === "body") void reading.intake.receiver.discard();
    this.#conversation.reading = closed;
    this.#input.clear();
    this.#generation.deadlines.delete(this);
    const { delivering } = this.#conversation;
    if (this.#run.traced)
      this.#run.trace({ type: "close", at: this.#run.at, session: this.session, reason, delivering });
    // A message that has arrived whole goes its way: clients close without waiting for the 250
    if (!delivering) this.#run.abort(reason);
    this.#finish();
  }

  drain(): void {
    this.#draining = true;
    // Whoever is not greeted yet has nothing to finish, however long plugins let it wait (RFC 5321 §3.1)
    if (this.#conversation.opening && this.#reading.what !== "closed") this.#conversation.close(replies.shuttingDown);
    else this.#go();
  }

  stop(): void {
    this.#run.abort("shutdown");
    if (this.#conversation.securing) this.hangUp("shutdown");
    else if (this.#reading.what !== "closed") this.#conversation.close(replies.shuttingDown);
  }

  // -- what the conversation asks for ---------------------------------------------------------------

  send(reply: Reply): void {
    this.#output.send(reply);
  }

  flush(): void {
    this.#output.flush();
  }

  get pending(): number {
    return this.#input.length;
  }

  upgrade(upgrade: Upgrade): void {
    this.#wire.upgrade(upgrade);
  }

  // -- the loop ----------------------------------------------------------------------------------

  resume(): void {
    this.#go();
    this.#touch();
  }

  /** Reads while there is something to read and nobody to wait for, then writes all replies at once. */
  #go(): void {
    if (this.#running) return;
    this.#running = true;
    this.#run.turn(true);
    try {
      while (this.#mayRead() && this.#readOne());
      if (this.#draining && this.#idle && !this.#resting) this.#conversation.close(replies.shuttingDown);
      this.#output.flush();
      const reads = this.#reading.what !== "nothing" && !this.#resting && !this.#output.congested;
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
    const { what } = this.#reading;
    if (what === "nothing" || what === "closed" || this.#input.length === 0 || this.#output.congested) return false;
    if (this.#turn.over) this.#rest();
    return !this.#resting;
  }

  /** A flood of one client is heard a turn at a time, and read no faster: others wait for a turn, never for a flood. */
  #rest(): void {
    if (this.#resting) return;
    this.#resting = true;
    setImmediate(() => {
      this.#resting = false;
      this.#turn.begin();
      this.resume();
    });
  }

  get #idle(): boolean {
    const { what } = this.#reading;
    return what === "commands" || what === "line" || what === "preamble";
  }

  /** False when what is there is not enough. */
  #readOne(): boolean {
    const reading = this.#reading;
    if (reading.what === "body") return this.#readBody(reading.intake);
    if (reading.what === "preamble") return this.#readPreamble();
    if (this.#firstOctet && this.#input.peek()[0] === tlsHandshakeRecord) {
      const { at, session, traced } = this.#run;
      if (traced) this.#run.trace({ type: "client", at, session, line: "", secret: false, fault: "otherProtocol" });
      this.#generation.onlookers.faulted(this.session, "syntax");
      this.#conversation.close(replies.otherProtocol);
      return false;
    }
    this.#firstOctet = false;
    const waiting = this.#input.length;
    const line = this.#input.line(reading.what === "line" ? reading.step.octets : this.#generation.longestLine);
    if (line === undefined) return false;
    this.#turn.command(waiting - this.#input.length);
    if (reading.what === "line") this.#conversation.answer(line, reading.step);
    else this.#conversation.command(line);
    return true;
  }

  #readBody(intake: BodyIntake): boolean {
    const octets = this.#input.peek();
    const header = intake.receiver.inHeader;
    const end = intake.read(octets);
    const used = end < 0 ? octets.length : end;
    const { id: transaction } = intake.transaction;
    if (this.#run.traced) this.#traceBody(octets.subarray(0, used), header, transaction);
    this.#input.consume(used);
    this.#turn.body(used);
    if (this.#turn.over) this.#rest();
    if (end >= 0) this.#conversation.bodyEnded(intake);
    else if (intake.receiver.full) void this.#waitForSpool(intake);
    return true;
  }

  #traceBody(read: Uint8Array, header: boolean, transaction: string): void {
    const { at, session, bodiesTraced } = this.#run;
    const octets = bodiesTraced ? new Uint8Array(read) : unseen; // what was read is only lent
    this.#run.trace({ type: "body", at, session, count: read.length, octets, header, transaction });
  }

  async #waitForSpool(intake: BodyIntake): Promise<void> {
    this.#conversation.reading = nothing;
    await intake.receiver.drained();
    if (this.#gone) return intake.receiver.discard();
    this.#conversation.reading = { what: "body", intake };
    this.resume();
  }

  #readPreamble(): boolean {
    const first = this.#generation.vocabulary.preamble;
    if (first?.kind !== "read") throw new Error("there is no preamble to read");
    const read = first.read(new Uint8Array(this.#input.peek().subarray(0, first.octets)), this.session);
    if (read === undefined && this.#input.length < first.octets) return false;
    if (read === undefined || read === null) {
      this.hangUp("bad preamble");
      return false;
    }
    this.#input.consume(read.used);
    this.#run.session = this.session.assumed(read.client);
    this.#conversation.open();
    return true;
  }

  // -- holding back, keeping time, ending ---------------------------------------------------------

  /** Nothing is read while replies are unsent or others have their turn, and little while somebody judges (P10). */
  #holdBack(): void {
    if (this.#reading.what === "closed") return;
    const waits = this.#reading.what === "nothing" && this.#input.length >= lookAheadOctets;
    const hold = this.#output.congested || this.#resting || waits;
    if (hold === this.#paused) return;
    this.#paused = hold;
    if (hold) this.#wire.pause();
    else this.#wire.resume();
  }

  /** The client did something, or it is its turn: its patience begins anew. */
  #touch(): void {
    const { timeouts } = this.#generation;
    const { what } = this.#reading;
    if (what === "closed") return;
    // Whoever waits for us is not late: judges have deadlines of their own
    const waits = what === "nothing" && !this.#output.congested;
    const patience = waits ? Infinity : what === "body" ? timeouts.data : timeouts.command;
    this.#setDeadline(Math.min(this.#run.clock.now() + patience, this.session.startedAt + timeouts.session));
  }

  #setDeadline(at: number): void {
    this.dueAt = at;
    this.#generation.deadlines.moved(this);
  }

  overdue(): void {
    const { clock } = this.#run;
    if (this.#reading.what === "nothing" && !this.#output.congested) return this.#setDeadline(clock.now() + 1000);
    const tooLong = clock.now() >= this.session.startedAt + this.#generation.timeouts.session;
    this.#conversation.close(tooLong ? replies.sessionTooLong : replies.idleTooLong);
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
