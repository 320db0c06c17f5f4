/** The octets in pieces, cut at each of the indices (taken modulo the length). */
export function cuts(octets: Uint8Array, at: readonly number[]): Uint8Array[] {
  const borders = [...new Set(at.map((index) => index % (octets.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...borders].map((from, index) => octets.slice(from, borders[index] ?? octets.length));
}

/** The octets cut in two, at every index in turn. */
export const everyCut = (octets: Uint8Array): Uint8Array[][] =>
  Array.from({ length: octets.length + 1 }, (_, at) => [octets.slice(0, at), octets.slice(at)]);

export const single = (octets: Uint8Array): Uint8Array[] => Array.from(octets, (octet) => Uint8Array.of(octet));
