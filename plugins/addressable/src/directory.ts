import { type Address, parseAddress } from "@mailhost/core";
import { type AddressableOptions, canonical } from "./options.ts";

/** The domains and addresses that options name. Everything it is asked about is canonical. */
export interface Directory {
  /** The whole domain is named. */
  namesDomain(domain: string): boolean;
  /** Addresses of the domain are named. */
  knowsDomain(domain: string): boolean;
  namesAddress(address: Address): boolean;
}

/** Letters A to Z compare without case; beyond ASCII nothing is folded, or one mailbox could pose as another. */
const fold = (localPart: string): string =>
  /[A-Z]/.test(localPart) ? localPart.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : localPart;

/** Local parts by domain. A listed `*` names every one of its domain. */
export class AddressSet {
  readonly #localParts = new Map<string, Set<string>>();
  readonly #separator: string;

  constructor(addresses: readonly string[], separator: string) {
    this.#separator = separator;
    for (const text of addresses) {
      const address = parseAddress(text);
      if (address === undefined) continue; // the schema has refused it
      const { localPart, domain } = address;
      const known = this.#localParts.get(domain) ?? new Set();
      this.#localParts.set(domain, known.add(text.startsWith("*@") ? everyone : fold(localPart)));
    }
  }

  hasDomain(domain: string): boolean {
    return this.#localParts.has(domain);
  }

  /** As it stands, or without its tag. */
  has({ localPart, domain }: Address): boolean {
    const known = this.#localParts.get(domain);
    if (known === undefined) return false;
    const whole = fold(localPart);
    const cut = this.#separator === "" ? -1 : whole.indexOf(this.#separator);
    return known.has(everyone) || known.has(whole) || (cut > 0 && known.has(whole.slice(0, cut)));
  }
}

/** No local part: a line end cannot stand in one. */
const everyone = "\n";

export function makeDirectory({ domains = [], addresses = [], separator = "+" }: AddressableOptions): Directory {
  const whole = new Set(domains.map((domain) => canonical(domain) ?? domain));
  const parents = domains.filter((domain) => domain.startsWith("*.")).map((domain) => domain.slice(1));
  const listed = new AddressSet(addresses, separator);
  return {
    namesDomain: (domain) => whole.has(domain) || parents.some((parent) => domain.endsWith(parent)),
    knowsDomain: (domain) => listed.hasDomain(domain),
    namesAddress: (address) => listed.has(address),
  };
}
