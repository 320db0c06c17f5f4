/** How much of a body is shown. */
export type BodyShown = "off" | "headers" | "all";

/** Octets put together before they are handed on: a client that sends one at a time makes no record of each. */
const pieceOctets = 16 * 1024;

/** Chunks held apart; many small ones would take far more memory than their octets. */
const mostChunks = 64;

const nothing = Buffer.alloc(0);

/** A piece of a body: how many octets, and those that may be seen. */
export interface Piece {
  readonly octets: number;
  readonly shown: Buffer;
}

/** Collects a body that arrives in cuts, and hands it on in pieces that end with a line where they can. */
export class BodyPart {
  readonly transaction: string;
  readonly #shown: BodyShown;
  readonly #header = new HeaderPart();
  #chunks: Uint8Array[] = [];
  #held = 0;
  #hidden = 0;

  constructor(transaction: string, shown: BodyShown) {
    this.transaction = transaction;
    this.#shown = shown;
  }

  /** Takes octets in, so many where they are not to be seen; gives a piece when enough have come together. */
  push(octets: Uint8Array, count = octets.length): Piece | undefined {
    if (this.#shown === "off" || (this.#shown === "headers" && this.#header.ended)) {
      this.#hidden += count;
      return undefined;
    }
    this.#chunks.push(octets);
    this.#held += octets.length;
    if (this.#held < pieceOctets) {
      if (this.#chunks.length > mostChunks) this.#chunks = [Buffer.concat(this.#chunks)];
      return undefined;
    }
    const held = Buffer.concat(this.#chunks);
    const end = held.lastIndexOf(0x0a) + 1 || held.length;
    const rest = held.subarray(end);
    this.#chunks = [rest];
    this.#held = rest.length;
    return this.#piece(held.subarray(0, end));
  }

  /** What is left when the body is over. */
  end(): Piece | undefined {
    const held = this.#chunks.length === 0 ? nothing : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#held = 0;
    return held.length + this.#hidden === 0 ? undefined : this.#piece(held);
  }

  #piece(octets: Buffer): Piece {
    const seen = this.#shown === "all" ? octets.length : this.#header.take(octets);
    const all = octets.length + this.#hidden;
    this.#hidden = 0;
    return { octets: all, shown: octets.subarray(0, seen) };
  }
}

const field = /^(?:[!-9;-~]+[ \t]*:|[ \t])/;

/** Longest beginning of a line that is looked at for a field's name. */
const nameOctets = 1000;

/**
 * Tells the header section from what follows. A line that is neither a field nor its continuation ends it:
 * a body that begins without a header is not shown by mistake.
 */
export class HeaderPart {
  ended = false;
  #inLine = false;

  /** How many of the octets belong to the header section, the empty line behind it included. */
  take(octets: Buffer): number {
    let at = 0;
    while (!this.ended && at < octets.length) {
      const end = octets.indexOf(0x0a, at) + 1 || octets.length;
      const line = octets.toString("latin1", at, Math.min(end, at + nameOctets));
      const empty = line === "\r\n" || line === "\n";
      if (!this.#inLine) this.ended = empty || !field.test(line);
      if (this.ended && !empty) return at;
      this.#inLine = octets[end - 1] !== 0x0a;
      at = end;
    }
    return at;
  }
}
