import { CR, LF } from "../protocol/octets.ts";
import type { Spool } from "./spool.ts";

/** Body in, body out, in pieces: CRLF line ends on both sides. */
export type BodyTransform = (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

const crlf = Uint8Array.of(CR, LF);

/**
 * Writes what a transform makes of a body, piece by piece: no more of it is in memory than the spool allows.
 * `mayGoOn` is asked before each piece. Rejects with a TypeError on what is no lines of octets (RFC 5321 §2.3.8).
 */
export async function writeTransformed(
  pieces: ReturnType<BodyTransform>,
  into: Spool,
  mayGoOn: () => void,
): Promise<void> {
  if (!isIterable(pieces)) throw new TypeError("a transform returns an iterable of Uint8Arrays");
  const lineEnds = new LineEnds();
  for await (const piece of pieces) {
    mayGoOn();
    if (!(piece instanceof Uint8Array)) throw new TypeError("a body consists of Uint8Arrays");
    lineEnds.read(piece);
    into.write(Uint8Array.from(piece)); // its maker may use it again
    if (into.full) await into.drained();
    if (into.error !== undefined) throw into.error;
  }
  mayGoOn();
  if (lineEnds.end()) into.write(crlf);
  await into.finish();
  mayGoOn();
}

const isIterable = (value: unknown): boolean =>
  typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);

/** Holds that CR and LF stand together only, wherever the pieces were cut. */
class LineEnds {
  #last: number | undefined;

  read(piece: Uint8Array): void {
    if (piece.length === 0) return;
    if (this.#last === CR && piece[0] !== LF) throw bare();
    for (let at = piece.indexOf(LF); at >= 0; at = piece.indexOf(LF, at + 1))
      if ((at === 0 ? this.#last : piece[at - 1]) !== CR) throw bare();
    for (let at = piece.indexOf(CR); at >= 0; at = piece.indexOf(CR, at + 1))
      if (at + 1 < piece.length && piece[at + 1] !== LF) throw bare();
    this.#last = piece[piece.length - 1];
  }

  /** True when the last line has no end yet. */
  end(): boolean {
    if (this.#last === CR) throw bare();
    return this.#last !== undefined && this.#last !== LF;
  }
}

const bare = (): TypeError => new TypeError("a body has CRLF line ends, never CR or LF alone");
