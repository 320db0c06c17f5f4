import { CR, LF } from "../protocol/octets.ts";

/** A header field as it stands in the message: folding and CRLF included, never interpreted. */
export interface Field {
  readonly name: string;
  readonly raw: Uint8Array;
}

const fieldName = /^([\x21-\x39\x3b-\x7e]+)[ \t]*:/;

/** Header sections are bounded: 256 KiB (design §4). */
export const headerOctets = 256 * 1024;

/** And so are its fields: each costs some 250 octets of memory, and takes no more than four on the wire (P10). */
export const headerFields = 4096;

/** Where the colon of a field must have come. */
const nameOctets = 256;

/** Splits the header section off content that arrives in pieces. */
export class HeaderSplitter {
  readonly fields: Field[] = [];
  /** Octets of the header section, without the empty line behind it. Fixed once `ended`. */
  octets = 0;
  ended = false;
  /** The empty line stands behind the section. */
  separated = false;
  tooBig = false;
  #kept: Uint8Array = new Uint8Array(1024);
  #length = 0;
  #lineStart = 0;
  /** Index up to which no LF was found. */
  #searched = 0;
  /** Start of the long line that was looked at and found to be a field. */
  #judged = -1;
  #fieldStart = 0;
  #name: string | undefined;

  push(slice: Uint8Array): void {
    if (this.ended) return;
    // What lies beyond the limit and the empty line cannot be header any more, and is looked at no further
    const taken = slice.subarray(0, headerOctets + 2 - this.#length);
    this.#append(taken);
    this.#readLines();
    if (!this.ended && this.#length >= headerOctets + 2) this.#giveUp();
  }

  /** The content is over: what stands there is the last field. */
  end(): void {
    if (this.ended) return;
    if (this.#lineStart < this.#length) this.#takeLine(this.#length);
    if (!this.ended) this.#endAt(this.#lineStart);
  }

  #append(octets: Uint8Array): void {
    if (this.#length + octets.length > this.#kept.length) {
      const grown = new Uint8Array(Math.max(this.#kept.length * 2, this.#length + octets.length));
      grown.set(this.#kept.subarray(0, this.#length));
      this.#kept = grown;
    }
    this.#kept.set(octets, this.#length);
    this.#length += octets.length;
  }

  #readLines(): void {
    while (!this.ended) {
      const lf = this.#kept.subarray(0, this.#length).indexOf(LF, Math.max(this.#searched, this.#lineStart));
      this.#searched = this.#length;
      if (lf < 0) return this.#endIfText();
      this.#searched = lf + 1;
      this.#takeLine(lf + 1);
    }
  }

  /** A line that is no field need not be whole to end the section: a body may be one line of any length. */
  #endIfText(): void {
    const known = this.#length - this.#lineStart >= nameOctets;
    if (!known || this.#judged === this.#lineStart) return;
    this.#judged = this.#lineStart;
    if (!this.#continues() && this.#nameAt(this.#length) === undefined) this.#endAt(this.#lineStart);
  }

  /** Looks at the line from #lineStart to `end`. */
  #takeLine(end: number): void {
    if (!this.#continues()) {
      const name = this.#nameAt(end);
      if (name === undefined) return this.#endAt(this.#lineStart);
      this.#closeField(this.#lineStart);
      if (this.fields.length >= headerFields) return this.#giveUp();
      this.#name = name;
      this.#fieldStart = this.#lineStart;
    }
    this.#lineStart = end;
  }

  /** The line belongs to the field before it. */
  #continues(): boolean {
    const first = this.#kept[this.#lineStart];
    return (first === 0x20 || first === 0x09) && this.#name !== undefined;
  }

  #nameAt(end: number): string | undefined {
    const start = this.#lineStart;
    const head = this.#kept.subarray(start, Math.min(end, start + nameOctets));
    return fieldName.exec(String.fromCharCode(...head))?.[1];
  }

  #giveUp(): void {
    this.tooBig = true;
    this.ended = true;
    this.fields.length = 0;
    this.#kept = new Uint8Array(0);
  }

  #closeField(end: number): void {
    if (this.#name !== undefined)
      this.fields.push(Object.freeze({ name: this.#name, raw: this.#kept.slice(this.#fieldStart, end) }));
    this.#name = undefined;
  }

  #endAt(end: number): void {
    this.#closeField(end);
    this.octets = end;
    this.separated = end < this.#length && this.#kept[end] === CR;
    this.ended = true;
    this.#kept = new Uint8Array(0);
  }
}
