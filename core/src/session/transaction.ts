import { formatAddress, type Address } from "../protocol/address.ts";
import type { Parameters } from "../protocol/parameters.ts";
import type { AcceptedRecipient, Transaction } from "../protocol/session.ts";

/** From MAIL to the end of data, as core holds it. */
export class LiveTransaction implements Transaction {
  readonly id: string;
  readonly reversePath: Address | null;
  readonly parameters: Parameters;
  readonly smtputf8: boolean;
  readonly #recipients = new Map<string, AcceptedRecipient>();

  constructor(id: string, reversePath: Address | null, parameters: Parameters) {
    this.id = id;
    this.reversePath = reversePath;
    this.parameters = parameters;
    this.smtputf8 = parameters.has("SMTPUTF8");
  }

  get recipients(): readonly AcceptedRecipient[] {
    return [...this.#recipients.values()];
  }

  get count(): number {
    return this.#recipients.size;
  }

  /** The same recipient said twice gets one copy. */
  accept(recipient: AcceptedRecipient): void {
    const key = formatAddress(recipient.address);
    if (!this.#recipients.has(key)) this.#recipients.set(key, recipient);
  }
}
