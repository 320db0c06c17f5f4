import type { AcceptedRecipient, Transaction } from "../protocol/session.ts";
import type { Address } from "../protocol/address.ts";
import type { StoredMessage } from "../message/message.ts";
import type { Edit } from "./edit.ts";
import { Handle, type Lender } from "./handle.ts";
import { ReadOnlyMessage } from "./message-view.ts";
import type { Opinion } from "./opinion.ts";

/** A copy that was written and is not visible yet. */
export interface Staged {
  /** Makes it visible and durable. For a one-phase transport this is the delivery, and it may refuse. */
  commit(): Promise<Opinion> | Opinion;
  /** Leaves nothing behind. Never called after `commit`. */
  abort(): Promise<void> | void;
}

/** One message on its way out by one transport. */
export interface Delivery {
  /** Queue id of the transaction. */
  readonly id: string;
  readonly reversePath: Address | null;
  /** Those routed to this transport, in the order of RCPT; for a one-phase transport, to this nexthop. */
  readonly recipients: readonly AcceptedRecipient[];
  readonly message: StoredMessage;
  readonly transaction: Transaction;
  /** The owner of the transport says that the copies are written. Late or failing taps have theirs aborted. */
  stage(staged: Staged): void;
}

/** What all taps together did with one group of recipients. */
export class DeliveryCase implements Lender<DeliveryHandle> {
  readonly recipients: readonly AcceptedRecipient[];
  readonly transaction: Transaction;
  readonly message: StoredMessage;
  /** Plugin that declared the transport: it alone may stage. */
  readonly owner: string;
  readonly staged: Staged[] = [];
  readonly #abort: (staged: Staged) => void;

  /** `abort` takes what a failed or late tap staged. */
  constructor(
    transaction: Transaction,
    message: StoredMessage,
    recipients: readonly AcceptedRecipient[],
    owner: string,
    abort: (staged: Staged) => void,
  ) {
    this.owner = owner;
    this.transaction = transaction;
    this.message = new ReadOnlyMessage(message);
    this.recipients = Object.freeze([...recipients]);
    this.#abort = abort;
  }

  get shared(): DeliveryHandle {
    return this.fresh();
  }

  fresh(): DeliveryHandle {
    return new DeliveryHandle(this, this.#abort);
  }
}

const stageEdit: Edit = Object.freeze({ kind: "stage" });

/** What a tap holds of a delivery. */
export class DeliveryHandle extends Handle implements Delivery {
  readonly #case: DeliveryCase;
  readonly #abort: (staged: Staged) => void;
  #staged: Staged[] = [];

  constructor(of: DeliveryCase, abort: (staged: Staged) => void) {
    super();
    this.#case = of;
    this.#abort = abort;
    Object.freeze(this);
  }

  static {
    Object.freeze(this.prototype);
  }

  get id(): string {
    return this.#case.transaction.id;
  }
  get reversePath(): Address | null {
    return this.#case.transaction.reversePath;
  }
  get recipients(): readonly AcceptedRecipient[] {
    return this.#case.recipients;
  }
  get message(): StoredMessage {
    return this.#case.message;
  }
  get transaction(): Transaction {
    return this.#case.transaction;
  }

  stage(staged: Staged): void {
    if (this.alive && this.borrower === this.#case.owner) this.#staged.push(staged);
    else this.#abort(staged);
  }

  protected edits(): readonly Edit[] {
    return this.#staged.map(() => stageEdit);
  }

  protected keep(): void {
    this.#case.staged.push(...this.#staged);
    this.#staged = [];
  }

  protected forget(): void {
    for (const staged of this.#staged) this.#abort(staged);
    this.#staged = [];
  }
}
