import type { Generation } from "../host/generation.ts";
import type { Run } from "../host/run.ts";
import type { TraceFacts } from "../host/trace.ts";
import type { SpoolPlace } from "../message/spool.ts";
import { type LineRead, Input } from "../protocol/lines.ts";
import type { Command, Context, Refused, State, Step } from "../protocol/machine.ts";
import { asciiUpper, decodeUtf8 } from "../protocol/octets.ts";
import { replies } from "../protocol/replies.ts";
import { type Reply, replyLines } from "../protocol/reply.ts";
import type { TlsInfo } from "../protocol/session.ts";
import { BodyIntake } from "./body.ts";
import { LiveSession, type Peer, newId } from "./connection.ts";
import { Deadline } from "./deadline.ts";
import { Judging } from "./judging.ts";
import { maskCommand, masked } from "./masking.ts";
import { Output } from "./output.ts";
import { Tally } from "./tally.ts";
import { LiveTransaction } from "./transaction.ts";
import type { Wire } from "./wire.ts";

/** Octets held while the client waits for us: a disconnect behind them is noticed, no more is read (P10). */
const lookAheadOctets = 64 * 1024;

/** What the engine does with the next octets. */
type Reading =
  | { readonly what: "commands" }
  | { readonly what: "line"; readonly step: Extract<Step, { go: "line" }> }
  | { readonly what: "body"; readonly intake: BodyIntake }
  | { readonly what: "preamble" }
  | { readonly what: "nothing" } // somebody judges, or TLS is being set up
  | { readonly what: "closed" };

const commands: Reading = { what: "commands" };
const nothing: Reading = { what: "nothing" };
const closed: Reading = { what: "closed" };

/** Verbs of other protocols, sent across by browsers and scanners: the dialogue ends at once. */
const foreignVerbs = new Set(["GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH", "TRACE"]);
const tlsHandshakeRecord = 0x16;

export interface EngineOptions {
  readonly generation: Generation;
  readonly wire: Wire;
  readonly peer: Peer;
  readonly spool: SpoolPlace;
  /** Stage and abort instead of delivering. */
  readonly dryRun?: boolean;
  /** Nothing more will happen: the connection is closed and no message is under way. */
  readonly over?: () => void;
}

/** One dialogue: octets in, octets out, over any wire (P2). */
export class Engine {
  readonly #generation: Generation;
  readonly #wire: Wire;
  readonly #spool: SpoolPlace;
  readonly #input = new Input();
  readonly #output: Output;
  readonly #tally: Tally;
  readonly #judging: Judging;
  readonly #run: Run & { session: LiveSession };
  readonly #watched = new Set<AbortController>();
  readonly #deadline: Deadline;
  readonly #over: () => void;
  readonly #context: Context;
  #state: State = { phase: "new" };
  #reading: Reading = nothing;
  #running = false;
  #paused = false;
  #greeted = false;
  #draining = false;
  #ended = false;
  #delivering = false;
  #authSeen = false;
  #gone = false;
  #firstOctet = true;

  constructor(options: EngineOptions) {
    const { generation, wire, peer } = options;
    const { clock, log } = generation.services;
    this.#generation = generation;
    this.#wire = wire;
    this.#spool = options.spool;
    this.#over = options.over ?? (() => {});
    this.#output = new Output(wire);
    this.#tally = new Tally(generation.limits);
    this.#run = {
      session: new LiveSession(generation.listener, peer, clock.now()),
      clock,
      log,
      traced: generation.hooks.trace.taps.length > 0,
      trace: (facts) => this.#trace(facts),
      watch: (controller) => this.#watch(controller),
    };
    this.#judging = new Judging(generation, this.#run, options.dryRun === true);
    this.#deadline = new Deadline(clock, () => this.#timedOut());
    this.#context = this.#makeContext();
  }

  get session(): LiveSession {
    return this.#run.session;
  }

  /** The client is connected. Everything else follows from what it says. */
  start(): void {
    this.#trace({ type: "open" });
    const { preamble } = this.#generation.vocabulary;
    if (preamble === undefined) return this.#judgeConnection();
    if (preamble.kind === "upgrade") return this.#wire.upgrade(preamble.upgrade);
    this.#reading = { what: "preamble" };
    this.#touch();
  }

  /** Octets from the client. The array is the engine's from now on. */
  receive(octets: Uint8Array): void {
    if (this.#reading.what === "closed") return;
    if (!this.#greeted && this.#reading.what !== "preamble") this.session.spokeEarly = true;
    this.#touch();
    this.#input.push(octets);
    this.#go();
  }

  /** What was written has left. */
  drained(): void {
    this.#output.congested = false;
    this.#touch();
    this.#go();
  }

  /** The layer below is new: so is the session, but for what was counted. */
  secured(tls: TlsInfo | undefined): void {
    if (this.#reading.what === "closed") return;
    this.#run.session = this.session.secured(tls);
    this.#state = { phase: "new" };
    this.#authSeen = false;
    if (tls !== undefined) this.#trace({ type: "secured", protocol: tls.protocol, cipher: tls.cipher });
    if (this.#greeted) {
      this.#reading = commands;
      this.#touch();
      this.#go();
    } else this.#judgeConnection();
  }

  /** The client is gone, or the connection broke. Harmless at any time. */
  gone(reason: string): void {
    if (this.#gone) return;
    this.#gone = true;
    if (this.#reading.what === "body") void this.#reading.intake.receiver.discard();
    this.#reading = closed;
    this.#input.clear();
    this.#deadline.stop();
    this.#trace({ type: "close", reason });
    // A message that has arrived whole goes its way: clients close without waiting for the 250
    if (this.#delivering) return;
    for (const controller of this.#watched) controller.abort(new Error(reason));
    this.#over();
  }

  /** The client sends nothing more, though it may still read. */
  ended(): void {
    this.#ended = true;
    if (this.#reading.what === "nothing" && this.#input.length === 0 && !this.#delivering)
      return void this.#hangUp("disconnected");
    this.#go();
  }

  /** The server closes: 421 as soon as no command is under way (RFC 5321 §3.8). */
  drain(): void {
    this.#draining = true;
    this.#go();
  }

  /** The server does not wait any longer. */
  stop(): void {
    for (const controller of this.#watched) controller.abort(new Error("shutdown"));
    if (this.#reading.what !== "closed") this.#close(replies.shuttingDown);
  }

  // -- the loop ----------------------------------------------------------------------------------

  /** Reads while there is something to read and nobody to wait for, then writes all replies at once. */
  #go(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#mayRead() && this.#readOne());
      if (this.#draining && this.#idle()) this.#close(replies.shuttingDown);
      this.#output.flush();
      if (this.#ended && this.#reading.what !== "nothing" && !this.#output.congested) this.#hangUp("disconnected");
    } catch (error) {
      this.#run.log.error({ err: error, session: this.session.id }, "the engine failed");
      this.#close(replies.internal);
    } finally {
      this.#running = false;
    }
    this.#holdBack();
  }

  #mayRead(): boolean {
    const { what } = this.#reading;
    return what !== "nothing" && what !== "closed" && this.#input.length > 0 && !this.#output.congested;
  }

  #idle(): boolean {
    return this.#reading.what === "commands" || this.#reading.what === "line" || this.#reading.what === "preamble";
  }

  /** False when what is there is not enough. */
  #readOne(): boolean {
    const reading = this.#reading;
    switch (reading.what) {
      case "body":
        return this.#readBody(reading.intake);
      case "line":
        return this.#readLine(reading.step);
      case "preamble":
        return this.#readPreamble();
      default:
        return this.#readCommand();
    }
  }

  #holdBack(): void {
    const full = this.#output.congested || (this.#reading.what === "nothing" && this.#input.length >= lookAheadOctets);
    if (full === this.#paused || this.#reading.what === "closed") return;
    this.#paused = full;
    if (full) this.#wire.pause();
    else this.#wire.resume();
  }

  // -- what is read ------------------------------------------------------------------------------

  #readCommand(): boolean {
    if (this.#firstOctet && this.#input.peek()[0] === tlsHandshakeRecord) return this.#close(replies.otherProtocol);
    this.#firstOctet = false;
    const read = this.#input.line(this.#generation.longestLine);
    if (read === undefined) return false;
    const tooMany = this.#tally.command();
    if (tooMany !== undefined) return this.#close(tooMany);
    const line = typeof read === "string" ? undefined : decodeUtf8(read);
    if (line === undefined) return this.#fault(badLine(read));
    return this.#command(line.trimEnd(), typeof read === "string" ? 0 : read.length + 2);
  }

  #command(line: string, octets: number): boolean {
    const space = line.search(/[ \t]/);
    const verb = asciiUpper(space < 0 ? line : line.slice(0, space));
    const command = this.#generation.vocabulary.commands.get(verb);
    if (this.#run.traced) this.#traceClient(line, command !== undefined);
    if (foreignVerbs.has(verb)) return this.#close(replies.otherProtocol);
    if (command === undefined) return this.#fault(replies.unknownCommand, this.#tally.unknownCommand());
    this.#authSeen ||= verb === "AUTH";
    if (octets > this.#generation.vocabulary.lineOctets(verb))
      return this.#fault(verb === "AUTH" ? replies.authLineTooLong : replies.lineTooLong);
    for (const gate of this.#generation.vocabulary.gates) {
      const refusal = gate(verb, this.session);
      if (refusal !== undefined) return this.#fault(refusal);
    }
    if (!command.phases.includes(this.#state.phase)) return this.#fault(this.#sequenceReply(verb));
    this.#perform(command, space < 0 ? "" : line.slice(space).trimStart());
    return true;
  }

  #sequenceReply(verb: string): Reply {
    if (this.#state.phase === "new") return replies.greetFirst;
    return verb === "MAIL" ? replies.nestedMail : replies.badSequence;
  }

  #perform(command: Command, argument: string): void {
    this.#wait(
      (done: (step: Step | Refused) => void) => command.run(this.#judging, this.#state, argument, this.#context, done),
      (step) => this.#take(step),
    );
    if (command.last) this.#output.flush();
  }

  /** Runs what may have to wait. While it does nothing is read, and the replies so far are sent. */
  #wait<T>(begin: (done: (outcome: T) => void) => void, then: (outcome: T) => void): void {
    this.#reading = nothing;
    let inTime = true;
    begin((outcome) => {
      if (this.#reading.what === "closed") return;
      this.#reading = commands;
      then(outcome);
      if (!inTime) {
        this.#touch();
        this.#go();
      }
    });
    inTime = false;
    if (this.#reading.what === "nothing") this.#output.flush();
  }

  #readLine(step: Extract<Step, { go: "line" }>): boolean {
    const read = this.#input.line(step.octets);
    if (read === undefined) return false;
    this.#reading = commands;
    this.#trace({ type: "client", line: masked, secret: true });
    const line = typeof read === "string" ? undefined : decodeUtf8(read);
    if (line === undefined) return this.#fault(read === "tooLong" ? step.tooLong : badLine(read));
    this.#take(step.resume(line));
    return true;
  }

  #readBody(intake: BodyIntake): boolean {
    const octets = this.#input.peek();
    const header = intake.receiver.inHeader;
    const end = intake.read(octets);
    const used = end < 0 ? octets.length : end;
    if (this.#run.traced)
      this.#trace({ type: "body", octets: octets.slice(0, used), header, transaction: intake.transaction.id });
    this.#input.consume(used);
    if (end >= 0) this.#finishBody(intake);
    else if (intake.receiver.full) this.#waitForSpool(intake);
    return true;
  }

  #waitForSpool(intake: BodyIntake): void {
    this.#reading = nothing;
    void intake.receiver.drained().then(() => {
      if (this.#reading.what === "closed") return void intake.receiver.discard();
      this.#reading = { what: "body", intake };
      this.#touch();
      this.#go();
    });
  }

  #readPreamble(): boolean {
    const { preamble } = this.#generation.vocabulary;
    if (preamble?.kind !== "read") throw new Error("no preamble to read");
    const read = preamble.read(this.#input.peek().slice(0, preamble.octets), this.session);
    if (read === undefined && this.#input.length < preamble.octets) return false;
    if (read === undefined || read === null) return this.#hangUp("bad preamble");
    this.#input.consume(read.used);
    this.#run.session = this.session.assumed(read.client);
    this.#judgeConnection();
    return true;
  }

  // -- what happens then -------------------------------------------------------------------------

  #judgeConnection(): void {
    this.#wait(
      (done: Parameters<Judging["connection"]>[1]) => this.#judging.connection(this.session, done),
      (outcome) => {
        this.#greeted = true;
        if ("problem" in outcome) return this.#refuseConnection(outcome.problem);
        this.#send({ code: 220, text: `${this.session.serverName} ESMTP` }); // RFC 5321 §4.2
      },
    );
    this.#touch();
    this.#go();
  }

  /** RFC 5321 §3.1: 554, or 421 when it may come again. */
  #refuseConnection(problem: Reply): void {
    this.#close(
      problem.code < 500 ? { ...problem, code: 421 } : problem.code === 521 ? problem : { ...problem, code: 554 },
    );
  }

  #take(step: Step | Refused): void {
    switch (step.go) {
      case "on":
        return this.#goOn(step);
      case "refused":
        if (step.close) return void this.#close(step.reply);
        return void (step.syntax ? this.#fault(step.reply) : this.#send(step.reply));
      case "close":
        return void this.#close(step.reply);
      case "line":
        this.#send(step.reply);
        this.#output.flush();
        this.#reading = { what: "line", step };
        return;
      case "body":
        return this.#openBody(step);
      case "credentials":
        return this.#wait(
          (done: Parameters<Judging["credentials"]>[1]) => this.#judging.credentials(step.credentials, done),
          (outcome) => {
            if (!("problem" in outcome)) return this.#take(step.resume(outcome.value));
            const last = outcome.problem.code === 535 ? this.#tally.authFailure() : undefined;
            if (last !== undefined || outcome.close === true) return void this.#close(last ?? outcome.problem);
            this.#send(outcome.problem);
          },
        );
      case "upgrade":
        return this.#upgrade(step);
      case "assume":
        return this.#assume(step);
    }
  }

  #goOn({ reply, state, identity }: Extract<Step, { go: "on" }>): void {
    if (identity !== undefined) this.session.identity = identity;
    if (state.phase === "ready" || state.phase === "new")
      this.session.greeting = state.phase === "new" ? undefined : state.greeting;
    const tooMany = state.phase === "mail" && this.#state.phase !== "mail" ? this.#tally.transaction() : undefined;
    if (tooMany !== undefined) return void this.#close(tooMany);
    this.#state = state;
    // A row may answer no by itself: those of syntax and sequence count as errors
    if (reply.code >= 500 && reply.code < 505 && reply !== replies.notImplemented) this.#fault(reply);
    else this.#send(reply);
  }

  #openBody({ reply, transaction, state }: Extract<Step, { go: "body" }>): void {
    const { limits, bareLineEnds } = this.#generation;
    const bare = bareLineEnds(this.session.client.address);
    this.#send(reply);
    this.#reading = {
      what: "body",
      intake: new BodyIntake(transaction, state, bare, this.#spool, limits.messageOctets),
    };
    this.#touch();
  }

  #finishBody(intake: BodyIntake): void {
    this.#delivering = true;
    this.#state = intake.next;
    this.#wait(
      (done: (outcome: { reply: Reply; close: boolean }) => void) => void this.#deliver(intake).then(done),
      ({ reply, close }) => {
        if (close) return void this.#close(reply);
        this.#send(reply);
      },
    );
  }

  /** Delivers what was received. Rejects never; whoever waits for the end of the session is told here. */
  async #deliver(intake: BodyIntake): Promise<{ reply: Reply; close: boolean }> {
    const { transaction } = intake;
    let answer: { reply: Reply; close: boolean } = { reply: replies.internal, close: false };
    try {
      const message = await intake.receiver.finish();
      if ("code" in message) answer = { reply: message, close: false };
      else {
        const outcome = await this.#judging.message(message, transaction);
        answer =
          "problem" in outcome
            ? { reply: outcome.problem, close: outcome.close === true }
            : { reply: outcome.value, close: false };
        await message.dispose();
      }
    } catch (error) {
      this.#run.log.error({ err: error, session: this.session.id, transaction: transaction.id }, "delivery failed");
    }
    this.#trace({ type: "delivered", transaction: transaction.id, reply: answer.reply });
    this.#delivering = false;
    if (this.#gone) this.#over();
    return answer;
  }

  #upgrade({ reply, upgrade }: Extract<Step, { go: "upgrade" }>): void {
    // What came in clear behind the command would run inside TLS: CVE-2011-0411 and its kin
    if (this.#input.length > 0) return void this.#close(replies.mustEndGroup);
    this.#send(reply);
    this.#output.flush();
    this.#reading = nothing;
    this.#deadline.stop();
    this.#wire.upgrade(upgrade);
  }

  #assume({ client }: Extract<Step, { go: "assume" }>): void {
    this.#run.session = this.session.assumed(client);
    this.#state = { phase: "new" };
    this.#greeted = false;
    this.#judgeConnection();
  }

  // -- replies and endings -----------------------------------------------------------------------

  /** An error of the client's: counted, and the last word when there were too many. */
  #fault(reply: Reply, lastWord = this.#tally.error()): boolean {
    if (lastWord !== undefined) return this.#close(lastWord);
    this.#send(reply);
    return true;
  }

  #send(reply: Reply): void {
    if (this.#run.traced) for (const line of replyLines(reply)) this.#trace({ type: "server", line, secret: false });
    this.#output.send(reply);
  }

  #close(reply: Reply): false {
    this.#send(reply);
    this.#output.flush();
    return this.#hangUp(reply.code === 221 ? "quit" : `${reply.code}`);
  }

  #hangUp(reason: string): false {
    if (this.#gone) return false;
    this.gone(reason);
    this.#wire.end();
    return false;
  }

  /** The client did something: its patience begins anew. */
  #touch(): void {
    const { timeouts } = this.#generation;
    const now = this.#run.clock.now();
    const { what } = this.#reading;
    if (what === "closed") return;
    const patience =
      what === "body" ? timeouts.data : what === "nothing" && !this.#output.congested ? Infinity : timeouts.command;
    this.#deadline.set(Math.min(now + patience, this.session.startedAt + timeouts.session));
  }

  #timedOut(): void {
    const { clock } = this.#run;
    const { what } = this.#reading;
    if (what === "closed") return;
    // Whoever waits for us is not late: judges have deadlines of their own
    if (what === "nothing" && !this.#output.congested) return this.#deadline.set(clock.now() + 1000);
    const tooLong = clock.now() >= this.session.startedAt + this.#generation.timeouts.session;
    this.#close(tooLong ? replies.sessionTooLong : replies.idleTooLong);
  }

  // -- for plugins -------------------------------------------------------------------------------

  #watch(controller: AbortController): () => void {
    this.#watched.add(controller);
    return () => this.#watched.delete(controller);
  }

  #trace(facts: TraceFacts): void {
    if (this.#run.traced)
      this.#generation.hooks.trace.call({ ...facts, at: this.#run.clock.now(), session: this.session });
  }

  #traceClient(line: string, understood: boolean): void {
    this.#trace({ type: "client", ...maskCommand(line, this.#authSeen, understood) });
  }

  #makeContext(): Context {
    const run = this.#run;
    const { vocabulary, limits } = this.#generation;
    return {
      get session() {
        return run.session;
      },
      mechanisms: vocabulary.mechanisms,
      mailParameters: vocabulary.mailParameters,
      rcptParameters: vocabulary.rcptParameters,
      messageOctets: limits.messageOctets,
      keywords: () => vocabulary.ehloLines(run.session),
      verbs: () => [...vocabulary.commands.keys()],
      openTransaction: (reversePath, parameters) =>
        new LiveTransaction(newId(run.clock.now()), reversePath, parameters),
      accept: (transaction, recipient) => (transaction as LiveTransaction).accept(recipient), // opened just above
    };
  }
}

const badLine = (read: LineRead): Reply =>
  read === "tooLong" ? replies.lineTooLong : read === "badLineEnd" ? replies.badLineEnd : replies.badOctets;
