import type { LiveGeneration } from "../host/generation.ts";
import type { LineFault } from "../host/trace.ts";
import type { SpoolPlace } from "../message/spool.ts";
import type { LineRead } from "../protocol/lines.ts";
import type { Command, Context, Refused, State, Step, Upgrade } from "../protocol/machine.ts";
import { asciiUpper, isBlankAt, withoutTrailingBlanks } from "../protocol/octets.ts";
import { replies } from "../protocol/replies.ts";
import type { Reply } from "../protocol/reply.ts";
import type { TlsInfo } from "../protocol/session.ts";
import { type Soon, soon } from "../protocol/soon.ts";
import { refuseVerb, foreignVerbs } from "./admission.ts";
import { type BodyIntake, openBody } from "./body.ts";
import { note } from "./connection.ts";
import { LiveContext } from "./context.ts";
import type { Floor } from "./floor.ts";
import { badLine, connectionRefusal, isFault } from "./faults.ts";
import { Judging } from "./judging.ts";
import type { LiveRun } from "./live-run.ts";
import { receiveMessage } from "./reception.ts";
import { type Reading, closed, commands, nothing } from "./reading.ts";
import { Tally } from "./tally.ts";
import type { Telling } from "./telling.ts";

/** The dialogue: what was said, what it means, what is answered. It sees lines and bodies, never octets cut on their way. */
export class Conversation {
  /** What the next octets are. */
  reading: Reading = nothing;
  /** The banner was sent. */
  greeted = false;
  /** `connect` is asked: there is no word between us yet. */
  opening = false;
  /** A message has arrived whole and is on its way: no disconnect stops it. */
  delivering = false;
  /** TLS is being set up: nobody reads what is said in clear. */
  securing = false;
  static readonly #taken = (step: Step | Refused, its: Conversation): void => its.#take(step);
  readonly #generation: LiveGeneration;
  readonly #run: LiveRun;
  readonly #telling: Telling;
  readonly #floor: Floor;
  readonly #spool: SpoolPlace;
  readonly #tally: Tally;
  readonly #judging: Judging;
  readonly #context: Context;
  #state: State = { phase: "new" };

  constructor(generation: LiveGeneration, run: LiveRun, telling: Telling, floor: Floor, spool: SpoolPlace) {
    this.#generation = generation;
    this.#run = run;
    this.#telling = telling;
    this.#floor = floor;
    this.#spool = spool;
    this.#tally = new Tally(generation, run);
    this.#judging = new Judging(generation, run);
    this.#context = new LiveContext(generation, run);
  }

  // -- beginnings --------------------------------------------------------------------------------

  /** Asks `connect`, then greets or refuses. */
  open(): void {
    if (this.#floor.pending > 0 && !this.greeted) note(this.#run.session, { spokeEarly: true }); // behind a preamble
    this.opening = true;
    this.reading = nothing;
    this.#goOnWith(this.#judging.connection(this.#run.session), (outcome) => {
      this.opening = false;
      this.greeted = true;
      if ("problem" in outcome) this.close(connectionRefusal(outcome.problem));
      else this.#say(this.#generation.banner);
    });
  }

  /** The layer below is new: so is the session, but for what was counted (RFC 3207 §4.2). */
  secured(tls: TlsInfo | undefined): void {
    this.securing = false;
    this.#run.session = this.#run.session.secured(tls);
    this.#state = { phase: "new" };
    this.#telling.secured(tls);
    if (this.greeted) this.reading = commands;
    else this.open();
  }

  // -- what the client says ----------------------------------------------------------------------

  /** A line where a command is due. */
  command(read: LineRead): void {
    if (typeof read === "string") return this.#broken(read);
    const line = withoutTrailingBlanks(read.text); // RFC 5321 §4.1.1: they are tolerated
    let end = 0;
    while (end < line.length && !isBlankAt(line, end)) end += 1;
    const word = line.slice(0, end);
    const spoken = this.#generation.vocabulary.spoken(word);
    this.#telling.command(read.text, spoken?.verb);
    const tooMany = this.#tally.command();
    if (tooMany !== undefined) return this.close(tooMany);
    if (spoken === undefined) {
      if (!foreignVerbs.has(asciiUpper(word)))
        return this.#sayUnless(this.#tally.unknownCommand(), replies.unknownCommand);
      this.#tally.tell("syntax");
      return this.close(replies.otherProtocol);
    }
    const { session } = this.#run;
    const refusal = refuseVerb(spoken, read.octets, this.#state.phase, session, this.#generation.vocabulary);
    if (refusal !== undefined) return this.#fault(refusal);
    while (isBlankAt(line, end)) end += 1;
    this.#perform(spoken.command, line.slice(end));
  }

  /** A line that is no command. */
  #broken(fault: LineFault): void {
    this.#telling.broken(fault);
    const tooMany = this.#tally.command();
    if (tooMany !== undefined) return this.close(tooMany);
    this.#fault(badLine(fault));
  }

  #perform(command: Command, argument: string): void {
    this.reading = nothing;
    this.#goOnWith(command.run(this.#judging, this.#state, argument, this.#context), Conversation.#taken);
    if (command.last) this.#floor.flush();
  }

  /** A line a row asked for. Never shown: it may be a secret. */
  answer(read: LineRead, step: Extract<Step, { go: "line" }>): void {
    this.reading = commands;
    const fault = typeof read === "string" ? read : undefined;
    const line = typeof read === "string" ? undefined : read.text;
    this.#telling.answer(line, fault);
    if (fault !== undefined) return this.#fault(fault === "tooLong" ? step.tooLong : badLine(fault));
    if (line !== undefined) this.#take(step.resume(line));
  }

  /** The body is over: the message is made, judged, delivered, answered. */
  bodyEnded(intake: BodyIntake): void {
    this.delivering = true;
    this.#state = intake.next;
    this.reading = nothing;
    const answered = soon(receiveMessage(intake, this.#judging, this.#run), (answer) => {
      this.delivering = false;
      return answer;
    });
    this.#goOnWith(answered, ({ reply, close }) => this.#judged(reply, close));
  }

  // -- what follows from it ----------------------------------------------------------------------

  #take(step: Step | Refused): void {
    switch (step.go) {
      case "on":
        return this.#goOn(step);
      case "refused":
        if (step.syntax && !step.close && isFault(step.reply)) return this.#fault(step.reply);
        return this.#judged(step.reply, step.close);
      case "close":
        return this.close(step.reply);
      case "line":
        this.#say(step.reply);
        this.#floor.flush();
        this.reading = { what: "line", step };
        return;
      case "body":
        return this.#openBody(step);
      case "credentials":
        return this.#judgeCredentials(step);
      case "upgrade":
        return this.#upgrade(step);
      case "assume":
        this.#run.session = this.#run.session.assumed(step.client);
        this.#state = { phase: "new" };
        return this.open();
    }
  }

  /** What a judge said: a 5yz is the client's fault, a 4yz is not. */
  #judged(reply: Reply, close: boolean): void {
    if (reply.code >= 500) this.#tally.tell("refused");
    if (close) this.close(reply);
    else this.#say(reply);
  }

  #goOn({ reply, state, identity }: Extract<Step, { go: "on" }>): void {
    const greeting = state.phase === "new" ? undefined : state.greeting;
    if (greeting !== this.#run.session.greeting) note(this.#run.session, { greeting });
    if (identity !== undefined) note(this.#run.session, { identity });
    const begins = state.phase === "mail" && this.#state.phase === "ready";
    const tooMany = begins ? this.#tally.transaction() : undefined;
    if (tooMany !== undefined) return this.close(tooMany);
    this.#state = state;
    // A mechanism may refuse what it was told without asking anybody: a guess all the same
    if (reply.code === 535) this.#guess(reply);
    else if (isFault(reply)) this.#fault(reply);
    else this.#say(reply);
  }

  #openBody(step: Extract<Step, { go: "body" }>): void {
    this.#say(step.reply);
    this.reading = { what: "body", intake: openBody(step, this.#run.session, this.#generation, this.#spool) };
  }

  #judgeCredentials(step: Extract<Step, { go: "credentials" }>): void {
    this.reading = nothing;
    this.#goOnWith(this.#judging.credentials(step.credentials), (outcome) => {
      if (!("problem" in outcome)) return this.#take(step.resume(outcome.value));
      // A plugin may say no with a 550 of its own: a guess all the same. A 4yz is our failure, not the client's
      if (outcome.problem.code >= 500) return this.#guess(outcome.problem, outcome.close);
      if (outcome.close === true) return this.close(outcome.problem);
      this.#say(outcome.problem);
    });
  }

  #upgrade({ reply, upgrade }: Extract<Step, { go: "upgrade" }>): void {
    // What came in clear behind the command would run inside TLS: CVE-2011-0411 and its kin
    if (this.#floor.pending > 0) return this.close(replies.mustEndGroup);
    this.#say(reply);
    this.#floor.flush();
    this.secure(upgrade);
  }

  /** Changes the layer below. What comes next is `secured`. */
  secure(upgrade: Upgrade): void {
    this.securing = true;
    this.reading = nothing;
    this.#floor.upgrade(upgrade);
  }

  // -- replies and endings -----------------------------------------------------------------------

  /** Goes on with what was asked for, now or when it is there. As long as somebody waits, nothing is read, and the replies so far leave. */
  #goOnWith<T>(asked: Soon<T>, then: (outcome: T, its: this) => void): void {
    if (!(asked instanceof Promise)) return this.#answered(asked, then);
    this.#floor.flush();
    void asked
      .then((outcome) => this.#answered(outcome, then))
      .catch((error: unknown) => this.#failed(error))
      .finally(() => this.#floor.resume());
  }

  #answered<T>(outcome: T, then: (outcome: T, its: this) => void): void {
    if (this.reading.what === "closed") return;
    this.reading = commands;
    try {
      then(outcome, this);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** A step of a plugin's row may fail when it is taken. */
  #failed(error: unknown): void {
    this.#run.log.error({ err: error, session: this.#run.session.id }, "a step of the dialogue failed");
    if (this.reading.what !== "closed") this.close(replies.internal); // else its last word was said
  }

  /** An error of the client's. */
  #fault(reply: Reply): void {
    this.#sayUnless(this.#tally.error(), reply);
  }

  #sayUnless(lastWord: Reply | undefined, reply: Reply): void {
    if (lastWord === undefined) this.#say(reply);
    else this.close(lastWord);
  }

  #guess(reply: Reply, close = false): void {
    const lastWord = this.#tally.authFailure();
    if (lastWord !== undefined || close) this.close(lastWord ?? reply);
    else this.#say(reply);
  }

  #say(reply: Reply): void {
    this.#telling.said(reply);
    this.#floor.send(reply);
  }

  /** The last word. */
  close(reply: Reply): void {
    this.#say(reply);
    this.#floor.flush();
    if (this.reading.what === "body") void this.reading.intake.receiver.discard();
    this.reading = closed;
    this.#floor.hangUp(reply.code === 221 ? "quit" : String(reply.code));
  }
}
