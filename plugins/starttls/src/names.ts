import { canonicalDomain } from "@mailhost/core";

/** One canonical form for names of certificates and of clients: A-labels, lower case, no trailing dot. Wildcards keep their star. */
export function certificateName(text: string): string | undefined {
  const name = text.replace(/\.$/, "");
  if (!name.startsWith("*.")) return canonicalDomain(name);
  const parent = canonicalDomain(name.slice(2));
  return parent === undefined ? undefined : `*.${parent}`;
}

/**
 * Finds what belongs to the name a client asked for: the name itself, else a wildcard for its first label
 * (RFC 6125 §6.4.3), else undefined. Clients send addresses, trailing dots and worse as SNI: none of it is an error.
 */
export function findByName<T>(byName: ReadonlyMap<string, T>, asked: string): T | undefined {
  const name = certificateName(asked);
  if (name === undefined) return undefined;
  return byName.get(name) ?? byName.get(name.replace(/^[^.]+/, "*"));
}
