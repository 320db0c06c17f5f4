import type { LiveGeneration } from "../host/generation.ts";
import type { Limits } from "../host/limits.ts";
import type { Fault, Onlookers } from "../host/onlookers.ts";
import { replies } from "../protocol/replies.ts";
import type { Reply } from "../protocol/reply.ts";
import type { LiveRun } from "./live-run.ts";

/** What a client used up, and what it did wrong. Survives STARTTLS and an assumed client: they are no way to new guesses. */
export class Tally {
  readonly #onlookers: Onlookers;
  readonly #run: LiveRun;
  readonly #limits: Limits;
  #commands = 0;
  #errors = 0;
  #unknown = 0;
  #failures = 0;
  #transactions = 0;

  constructor(generation: LiveGeneration, run: LiveRun) {
    this.#onlookers = generation.onlookers;
    this.#run = run;
    this.#limits = generation.limits;
  }

  // Each counts one more and gives the last word when that was one too many.

  command(): Reply | undefined {
    return ++this.#commands > this.#limits.commands ? replies.tooManyCommands : undefined;
  }

  error(): Reply | undefined {
    this.tell("syntax");
    return this.#oneMoreError();
  }

  /** An unknown command is an error too, which is counted apart. */
  unknownCommand(): Reply | undefined {
    this.tell("unknownCommand");
    return ++this.#unknown >= this.#limits.unknownCommands ? replies.tooManyUnknown : this.#oneMoreError();
  }

  #oneMoreError(): Reply | undefined {
    return ++this.#errors >= this.#limits.errors ? replies.tooManyErrors : undefined;
  }

  /** A wrong password is no error of syntax or sequence: it is counted apart. */
  authFailure(): Reply | undefined {
    this.tell("credentials");
    return ++this.#failures >= this.#limits.authFailures ? replies.tooManyGuesses : undefined;
  }

  transaction(): Reply | undefined {
    return ++this.#transactions > this.#limits.transactions ? replies.tooManyTransactions : undefined;
  }

  /** Tells those who count for themselves. */
  tell(fault: Fault): void {
    this.#onlookers.faulted(this.#run.session, fault);
  }
}
