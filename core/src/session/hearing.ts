import type { LiveGeneration } from "../host/generation.ts";
import { giveBack } from "../message/give-back.ts";
import { Input } from "../protocol/lines.ts";
import { replies } from "../protocol/replies.ts";
import type { BodyIntake } from "./body.ts";
import type { Conversation } from "./conversation.ts";
import type { Floor } from "./floor.ts";
import type { LiveRun } from "./live-run.ts";
import { nothing } from "./reading.ts";
import type { Telling } from "./telling.ts";
import { Turn } from "./turn.ts";

/** First octet of a TLS handshake: somebody took this port for one with implicit TLS. */
const tlsHandshakeRecord = 0x16;

/** Takes what a client sends for what it is: a preamble, lines, bodies. */
export class Hearing {
  readonly input = new Input(giveBack);
  /** A flood of one client is heard a turn at a time, and read no faster: others wait for a turn, never for a flood. */
  readonly turn: Turn;
  readonly #generation: LiveGeneration;
  readonly #run: LiveRun;
  readonly #telling: Telling;
  readonly #conversation: Conversation;
  readonly #floor: Floor;
  #firstOctet = true;

  constructor(generation: LiveGeneration, run: LiveRun, telling: Telling, conversation: Conversation, floor: Floor) {
    this.turn = new Turn(floor);
    this.#generation = generation;
    this.#run = run;
    this.#telling = telling;
    this.#conversation = conversation;
    this.#floor = floor;
  }

  /** The next of what waits. False when what is there is not enough. */
  next(): boolean {
    const { reading } = this.#conversation;
    if (reading.what === "body") return this.#body(reading.intake);
    if (reading.what === "preamble") return this.#preamble();
    if (this.#firstOctet && this.input.peek()[0] === tlsHandshakeRecord) {
      this.#telling.foreign();
      this.#generation.onlookers.faulted(this.#run.session, "syntax");
      this.#conversation.close(replies.otherProtocol);
      return false;
    }
    this.#firstOctet = false;
    const waiting = this.input.length;
    const line = this.input.line(reading.what === "line" ? reading.step.octets : this.#generation.longestLine);
    if (line === undefined) return false;
    this.turn.command(waiting - this.input.length);
    if (reading.what === "line") this.#conversation.answer(line, reading.step);
    else this.#conversation.command(line);
    return true;
  }

  #body(intake: BodyIntake): boolean {
    const octets = this.input.peek();
    const header = intake.receiver.inHeader;
    const end = intake.read(octets);
    const used = end < 0 ? octets.length : end;
    if (this.#run.traced) this.#telling.body(octets.subarray(0, used), header, intake.transaction.id);
    this.input.consume(used);
    this.turn.body(used);
    this.turn.yield();
    if (end >= 0) this.#conversation.bodyEnded(intake);
    else if (intake.receiver.full) void this.#waitForSpool(intake);
    return true;
  }

  async #waitForSpool(intake: BodyIntake): Promise<void> {
    this.#conversation.reading = nothing;
    await intake.receiver.drained();
    if (this.#conversation.reading.what === "closed") return intake.receiver.discard();
    this.#conversation.reading = { what: "body", intake };
    this.#floor.resume();
  }

  #preamble(): boolean {
    const first = this.#generation.vocabulary.preamble;
    if (first?.kind !== "read") throw new Error("there is no preamble to read");
    const { session } = this.#run;
    const read = first.read(new Uint8Array(this.input.peek().subarray(0, first.octets)), session);
    if (read === undefined && this.input.length < first.octets) return false;
    if (read === undefined || read === null) {
      this.#floor.hangUp("bad preamble");
      return false;
    }
    this.input.consume(read.used);
    this.#run.session = session.assumed(read.client);
    this.#conversation.open();
    return true;
  }
}
