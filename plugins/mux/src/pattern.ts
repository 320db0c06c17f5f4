import { canonicalDomain, canonicalLiteral, parseAddress } from "@mailhost/core";

/** `local@domain`, taken apart. `*` stands for every local part or every domain, anything else is literal. */
export interface Pattern {
  /** Unquoted, as written; undefined for every one. */
  readonly localPart: string | undefined;
  /** Canonical; undefined for every one. */
  readonly domain: string | undefined;
}

/** The canonical form of a domain or of a literal in brackets. */
export const canonical = (text: string): string | undefined => canonicalDomain(text) ?? canonicalLiteral(text);

/** A pattern, or in words what is wrong with it. */
export function readPattern(text: string): Pattern | string {
  const at = text.lastIndexOf("@");
  if (at < 0) return `${JSON.stringify(text)} holds no @`;
  const written = text.slice(at + 1);
  const domain = written === "*" ? undefined : canonical(written);
  if (written !== "*" && domain === undefined) return `${JSON.stringify(written)} is neither a domain nor *`;
  const local = text.slice(0, at);
  if (local === "*") return { localPart: undefined, domain };
  // An asterisk is a legal character of a local part: to mean it, quote it
  if (local.includes("*") && !local.startsWith('"')) return `in ${JSON.stringify(local)} the * does not stand alone`;
  const address = parseAddress(`${local}@example.com`);
  if (address === undefined) return `${JSON.stringify(local)} is neither a local part nor *`;
  return { localPart: address.localPart, domain };
}
