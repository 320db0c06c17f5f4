import type { Address } from "../protocol/address.ts";
import type { Parameters } from "../protocol/parameters.ts";
import type { AcceptedRecipient, Transaction } from "../protocol/session.ts";

/** Takes a recipient in. Plugins hold the transaction itself, so this is not one of its methods. */
export let accept: (transaction: LiveTransaction, recipient: AcceptedRecipient) => void;

/** No domain holds a blank. */
const keyOf = ({ address }: AcceptedRecipient): string => `${address.domain} ${address.localPart}`;

/** From MAIL to the end of data, as core holds it: what plugins read and only core writes. */
export class LiveTransaction implements Transaction {
  readonly id: string;
  readonly reversePath: Address | null;
  readonly parameters: Parameters;
  readonly smtputf8: boolean;
  readonly #recipients: AcceptedRecipient[] = [];
  /** Keys of them, once there are two. */
  #known: Set<string> | undefined;

  static {
    Object.freeze(this.prototype);
    accept = (transaction, recipient) => {
      const [first] = transaction.#recipients;
      if (first !== undefined) {
        const known = (transaction.#known ??= new Set([keyOf(first)]));
        const { size } = known;
        if (known.add(keyOf(recipient)).size === size) return; // the same recipient said twice gets one copy
      }
      transaction.#recipients.push(recipient);
    };
  }

  constructor(id: string, reversePath: Address | null, parameters: Parameters) {
    this.id = id;
    this.reversePath = reversePath;
    this.parameters = parameters;
    this.smtputf8 = parameters.has("SMTPUTF8");
    Object.freeze(this);
  }

  get recipients(): readonly AcceptedRecipient[] {
    return [...this.#recipients];
  }

  get count(): number {
    return this.#recipients.length;
  }
}
