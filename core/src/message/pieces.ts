import { giveBack } from "./give-back.ts";

/** What a socket reads at once. */
export const pieceOctets = 64 * 1024;

/** Two mebibytes are kept for bodies to come. */
const mostKept = 32;

const kept: ArrayBuffer[] = [];

/**
 * Room for a part of a large body. Whoever takes it writes before reading: another's mail may stand in it. Room that is
 * made anew costs twice what is written to it, as the kernel has to find each of its pages and to take it back.
 */
export const takePiece = (): Uint8Array<ArrayBuffer> => new Uint8Array(kept.pop() ?? new ArrayBuffer(pieceOctets));

/** Nobody looks at it again. A piece is given once. */
export function giveRoom(room: ArrayBufferLike): void {
  if (room.byteLength === pieceOctets && room instanceof ArrayBuffer && kept.length < mostKept) kept.push(room);
  else giveBack(room);
}
