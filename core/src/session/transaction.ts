import type { Address } from "../protocol/address.ts";
import type { Parameters } from "../protocol/parameters.ts";
import type { AcceptedRecipient, Route, Transaction } from "../protocol/session.ts";

/** Takes a recipient in. Plugins hold the transaction itself, so this is not one of its methods. */
export let accept: (transaction: LiveTransaction, recipient: AcceptedRecipient) => void;

/** The ways its recipients take, in their order: one that many take in a row stands there once. */
export let routesOf: (transaction: LiveTransaction) => readonly Route[];

/** From MAIL to the end of data, as core holds it: what plugins read and only core writes. */
export class LiveTransaction implements Transaction {
  readonly id: string;
  readonly reversePath: Address | null;
  readonly parameters: Parameters;
  readonly smtputf8: boolean;
  readonly #recipients: AcceptedRecipient[] = [];
  readonly #routes: Route[] = [];
  /** Their local parts by domain, once there are two. */
  #known: Map<string, Set<string>> | undefined;

  static {
    Object.freeze(this.prototype);
    accept = (transaction, recipient) => {
      if (!transaction.#isNew(recipient.address)) return; // the same recipient said twice gets one copy
      transaction.#recipients.push(recipient);
      if (recipient.route !== transaction.#routes.at(-1)) transaction.#routes.push(recipient.route);
    };
    routesOf = (transaction) => transaction.#routes;
  }

  constructor(id: string, reversePath: Address | null, parameters: Parameters) {
    this.id = id;
    this.reversePath = reversePath;
    this.parameters = parameters;
    this.smtputf8 = parameters.has("SMTPUTF8");
    Object.freeze(this);
  }

  #isNew({ localPart, domain }: Address): boolean {
    if (this.#recipients.length === 0) return true;
    const known = (this.#known ??= byDomain(this.#recipients));
    const localParts = known.get(domain);
    if (localParts === undefined) known.set(domain, new Set([localPart]));
    return localParts === undefined || localParts.size < localParts.add(localPart).size;
  }

  get recipients(): readonly AcceptedRecipient[] {
    return [...this.#recipients];
  }

  get count(): number {
    return this.#recipients.length;
  }
}

const byDomain = (recipients: readonly AcceptedRecipient[]): Map<string, Set<string>> =>
  new Map(recipients.map(({ address }) => [address.domain, new Set([address.localPart])]));
