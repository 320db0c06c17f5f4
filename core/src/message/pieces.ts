import { giveBack } from "./give-back.ts";

/** What a socket reads at once: the largest room there is. */
export const pieceOctets = 64 * 1024;

/** The smallest; each size is twice the one before. */
const leastOctets = 1024;

/** Of each size: two mebibytes for large bodies to come, and two for small ones. */
const mostKept = 32;

const kept = new Map<number, ArrayBuffer[]>();
for (let octets = leastOctets; octets <= pieceOctets; octets *= 2) kept.set(octets, []);

/**
 * Room for so many octets of a body, or for a part of them: at most twice as much, and no more than a piece. Whoever takes
 * it writes before reading: another's mail may stand in it. Room that is made anew costs twice what is written to it, as the
 * kernel has to find each of its pages and to take it back, and the collector counts it.
 */
export function takeRoom(octets: number): Uint8Array<ArrayBuffer> {
  let size = leastOctets;
  while (size < octets && size < pieceOctets) size *= 2;
  return new Uint8Array(kept.get(size)?.pop() ?? new ArrayBuffer(size));
}

/** Nobody looks at it again. Room is given once. */
export function giveRoom(room: ArrayBufferLike): void {
  const rooms = kept.get(room.byteLength);
  if (rooms !== undefined && room instanceof ArrayBuffer && rooms.length < mostKept) rooms.push(room);
  else giveBack(room);
}
