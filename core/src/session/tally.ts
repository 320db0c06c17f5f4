import type { Limits } from "../host/limits.ts";
import { replies } from "../protocol/replies.ts";
import type { Reply } from "../protocol/reply.ts";

/** What a client used up. Survives STARTTLS and an assumed client: they are no way to new guesses. */
export class Tally {
  readonly #limits: Limits;
  #commands = 0;
  #errors = 0;
  #unknown = 0;
  #failures = 0;
  #transactions = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  // Each counts one more and gives the last word when that was one too many.

  command(): Reply | undefined {
    return ++this.#commands > this.#limits.commands ? replies.tooManyCommands : undefined;
  }

  error(): Reply | undefined {
    return ++this.#errors >= this.#limits.errors ? replies.tooManyErrors : undefined;
  }

  /** An unknown command is an error too, which is counted apart. */
  unknownCommand(): Reply | undefined {
    return ++this.#unknown >= this.#limits.unknownCommands ? replies.tooManyUnknown : undefined;
  }

  authFailure(): Reply | undefined {
    return ++this.#failures >= this.#limits.authFailures ? replies.tooManyGuesses : undefined;
  }

  transaction(): Reply | undefined {
    return ++this.#transactions > this.#limits.transactions ? replies.tooManyTransactions : undefined;
  }
}
