import type { Due } from "../host/deadlines.ts";
import type { LiveGeneration } from "../host/generation.ts";
import { replies } from "../protocol/replies.ts";
import type { Reply } from "../protocol/reply.ts";
import type { LiveSession } from "./connection.ts";
import type { Reading } from "./reading.ts";

/** A dialogue as its time is kept. */
export interface Timed {
  readonly session: LiveSession;
  readonly reading: Reading;
  /** Somebody judges, and the client waits for us. */
  readonly waitsForUs: boolean;
  close(reply: Reply): void;
}

/** Milliseconds until it is looked again at a client that waits for us. */
const lookAgain = 1000;

/** How long a client may say nothing, and how long a session may last (RFC 5321 §4.5.3.2). */
export class TimeLimits implements Due {
  /** Among those who wait for a deadline. */
  place = -1;
  dueAt = Infinity;
  readonly #generation: LiveGeneration;
  readonly #dialogue: Timed;

  constructor(generation: LiveGeneration, dialogue: Timed) {
    this.#generation = generation;
    this.#dialogue = dialogue;
  }

  begin(): void {
    this.#generation.deadlines.add(this);
  }

  end(): void {
    this.#generation.deadlines.delete(this);
  }

  /** The client did something, or it is its turn: its patience begins anew. */
  touch(): void {
    const { what } = this.#dialogue.reading;
    if (what === "closed") return;
    const { timeouts } = this.#generation;
    // Whoever waits for us is not late: judges have deadlines of their own
    const patience = this.#dialogue.waitsForUs ? Infinity : what === "body" ? timeouts.data : timeouts.command;
    this.#setDeadline(Math.min(this.#now + patience, this.#lastMoment));
  }

  overdue(): void {
    if (this.#dialogue.waitsForUs) return this.#setDeadline(this.#now + lookAgain);
    this.#dialogue.close(this.#now >= this.#lastMoment ? replies.sessionTooLong : replies.idleTooLong);
  }

  get #now(): number {
    return this.#generation.services.clock.now();
  }

  get #lastMoment(): number {
    return this.#dialogue.session.startedAt + this.#generation.timeouts.session;
  }

  #setDeadline(at: number): void {
    this.dueAt = at;
    this.#generation.deadlines.moved(this);
  }
}
