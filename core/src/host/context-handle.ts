import type { Context, Judges, Outcome } from "../protocol/machine.ts";
import { replies } from "../protocol/replies.ts";
import type { Soon } from "../protocol/soon.ts";
import type { AcceptedRecipient, Transaction } from "../protocol/session.ts";
import type { Edit } from "./edit.ts";
import { Handle } from "./handle.ts";

/** What a plugin's verb holds of its session: what was given up takes in no recipient and asks nobody any more. */
export class ContextHandle extends Handle implements Context {
  readonly #context: Context;
  #accepted: (readonly [Transaction, AcceptedRecipient])[] = [];

  constructor(context: Context) {
    super();
    this.#context = context;
    Object.freeze(this);
  }

  static {
    Object.freeze(this.prototype);
  }

  get session(): Context["session"] {
    return this.#context.session;
  }
  get mechanisms(): Context["mechanisms"] {
    return this.#context.mechanisms;
  }
  get mailParameters(): Context["mailParameters"] {
    return this.#context.mailParameters;
  }
  get rcptParameters(): Context["rcptParameters"] {
    return this.#context.rcptParameters;
  }
  get messageOctets(): number {
    return this.#context.messageOctets;
  }
  get authLineOctets(): number {
    return this.#context.authLineOctets;
  }

  keywords(): readonly string[] {
    return this.#context.keywords();
  }

  verbs(): readonly string[] {
    return this.#context.verbs();
  }

  openTransaction(...begun: Parameters<Context["openTransaction"]>): Transaction {
    return this.#context.openTransaction(...begun);
  }

  accept(transaction: Transaction, recipient: AcceptedRecipient): void {
    if (this.alive) this.#accepted.push([transaction, recipient]);
  }

  /** The judges, as long as the verb holds this. */
  judges(judges: Judges): Judges {
    const asked = <T>(ask: () => Soon<Outcome<T>>): Soon<Outcome<T>> =>
      this.alive ? ask() : { problem: replies.internal };
    return {
      greeting: (greeting) => asked(() => judges.greeting(greeting)),
      credentials: (credentials) => asked(() => judges.credentials(credentials)),
      recipient: (path, transaction) => asked(() => judges.recipient(path, transaction)),
    };
  }

  protected edits(): readonly Edit[] {
    return [];
  }

  protected keep(): void {
    for (const [transaction, recipient] of this.#accepted) this.#context.accept(transaction, recipient);
    this.forget();
  }

  protected forget(): void {
    this.#accepted = [];
  }
}
