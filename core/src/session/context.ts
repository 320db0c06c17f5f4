import type { LiveGeneration } from "../host/generation.ts";
import type { Address } from "../protocol/address.ts";
import type { Context } from "../protocol/machine.ts";
import type { Parameters } from "../protocol/parameters.ts";
import type { AcceptedRecipient, Transaction } from "../protocol/session.ts";
import { type LiveSession, newId } from "./connection.ts";
import type { LiveRun } from "./live-run.ts";
import { LiveTransaction, accept } from "./transaction.ts";

/** What the rows of the command table can see. */
export class LiveContext implements Context {
  readonly #generation: LiveGeneration;
  readonly #run: LiveRun;

  constructor(generation: LiveGeneration, run: LiveRun) {
    this.#generation = generation;
    this.#run = run;
  }

  get session(): LiveSession {
    return this.#run.session;
  }
  get mechanisms(): Context["mechanisms"] {
    return this.#generation.vocabulary.mechanisms;
  }
  get mailParameters(): Context["mailParameters"] {
    return this.#generation.vocabulary.mailParameters;
  }
  get rcptParameters(): Context["rcptParameters"] {
    return this.#generation.vocabulary.rcptParameters;
  }
  get messageOctets(): number {
    return this.#generation.limits.messageOctets;
  }
  get authLineOctets(): number {
    return this.#generation.limits.authLineOctets;
  }

  keywords(): readonly string[] {
    return this.#generation.vocabulary.ehloLines(this.#run.session);
  }

  verbs(): readonly string[] {
    return [...this.#generation.vocabulary.commands.keys()];
  }

  openTransaction(reversePath: Address | null, parameters: Parameters): LiveTransaction {
    return new LiveTransaction(newId(this.#run.clock.now()), reversePath, parameters);
  }

  accept(transaction: Transaction, recipient: AcceptedRecipient): void {
    accept(transaction as LiveTransaction, recipient); // opened one line above
  }
}

// Plugins' rows share it
Object.freeze(LiveContext.prototype);
