import { CR, LF } from "../protocol/octets.ts";

/** A header field as it stands in the message: folding and CRLF included, never interpreted. */
export interface Field {
  readonly name: string;
  readonly raw: Uint8Array;
}

/** Header sections are bounded: 256 KiB (design §4). */
export const headerOctets = 256 * 1024;

/** And so are its fields: each costs some 250 octets of memory, and takes no more than four on the wire (P10). */
export const headerFields = 4096;

/** Where the colon of a field must have come. */
const nameOctets = 256;

const [tab, sp, colon] = [0x09, 0x20, 0x3a];

const none = new Uint8Array(0);

/** Splits the header section off content that arrives in pieces. */
export class HeaderSplitter {
  /** Of the section, once it has `ended`. */
  fields: readonly Field[] = [];
  /** Octets of the header section, without the empty line behind it. Fixed once `ended`. */
  octets = 0;
  ended = false;
  /** The empty line stands behind the section. */
  separated = false;
  tooBig = false;
  /** What came so far: the first piece as it was lent, as long as `push` lasts. */
  #kept: Uint8Array = none;
  #length = 0;
  #lineStart = 0;
  /** Index up to which no LF was found. */
  #searched = 0;
  /** Start of the long line that was looked at and found to be a field. */
  #judged = -1;
  /** Of each field its start, and where its name ends. */
  #starts: number[] = [];
  #nameEnds: number[] = [];

  push(slice: Uint8Array): void {
    if (this.ended) return;
    // What lies beyond the limit and the empty line cannot be header any more, and is looked at no further
    const most = headerOctets + 2 - this.#length;
    const taken = slice.length > most ? slice.subarray(0, most) : slice;
    const lent = this.#length === 0;
    if (lent) this.#kept = taken;
    else this.#append(taken);
    this.#length += taken.length;
    this.#readLines();
    if (!this.ended && this.#length >= headerOctets + 2) this.#giveUp();
    if (lent && !this.ended) this.#grow(1024);
  }

  /** The content is over: what stands there is the last field. */
  end(): void {
    if (this.ended) return;
    if (this.#lineStart < this.#length) this.#takeLine(this.#length);
    if (!this.ended) this.#endAt(this.#lineStart);
  }

  #append(octets: Uint8Array): void {
    if (this.#length + octets.length > this.#kept.length) this.#grow(this.#length + octets.length);
    this.#kept.set(octets, this.#length);
  }

  #grow(least: number): void {
    const grown = new Uint8Array(Math.max(this.#length * 2, least));
    grown.set(this.#kept.subarray(0, this.#length));
    this.#kept = grown;
  }

  #readLines(): void {
    // Not what lies behind it: room for as much again, which would be searched with each piece of a long line
    const came = this.#kept.subarray(0, this.#length);
    while (!this.ended) {
      const lf = came.indexOf(LF, Math.max(this.#searched, this.#lineStart));
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
    if (!this.#continues() && this.#nameEnd(this.#length) < 0) this.#endAt(this.#lineStart);
  }

  /** Looks at the line from #lineStart to `end`. */
  #takeLine(end: number): void {
    if (!this.#continues()) {
      const nameEnd = this.#nameEnd(end);
      if (nameEnd < 0) return this.#endAt(this.#lineStart);
      if (this.#starts.length >= headerFields) return this.#giveUp();
      this.#starts.push(this.#lineStart);
      this.#nameEnds.push(nameEnd);
    }
    this.#lineStart = end;
  }

  /** The line belongs to the field before it. */
  #continues(): boolean {
    const first = this.#kept[this.#lineStart];
    return (first === sp || first === tab) && this.#starts.length > 0;
  }

  /** Index behind the name of the field that begins at #lineStart (RFC 5322 §2.2), or -1. */
  #nameEnd(end: number): number {
    const kept = this.#kept;
    const most = Math.min(end, this.#lineStart + nameOctets);
    let at = this.#lineStart;
    while (at < most && isNameOctet(kept[at] ?? 0)) at += 1;
    const nameEnd = at;
    while (at < most && (kept[at] === sp || kept[at] === tab)) at += 1;
    return nameEnd > this.#lineStart && at < most && kept[at] === colon ? nameEnd : -1;
  }

  #giveUp(): void {
    this.tooBig = true;
    this.ended = true;
    this.#kept = none;
    this.#starts = this.#nameEnds = [];
  }

  #endAt(end: number): void {
    const section = this.#kept.slice(0, end);
    const { length } = this.#starts;
    this.fields = this.#starts.map(
      (start, at) =>
        new SectionField(section, start, this.#nameEnds[at] ?? 0, at + 1 < length ? (this.#starts[at + 1] ?? 0) : end),
    );
    this.octets = end;
    this.separated = end < this.#length && this.#kept[end] === CR;
    this.ended = true;
    this.#kept = none;
    this.#starts = this.#nameEnds = [];
  }
}

const isNameOctet = (octet: number): boolean => octet > 0x20 && octet < 0x7f && octet !== colon;

/** A field as part of the section it came in: cut out when somebody looks. */
class SectionField implements Field {
  readonly #section: Uint8Array;
  readonly #start: number;
  readonly #nameEnd: number;
  readonly #end: number;

  constructor(section: Uint8Array, start: number, nameEnd: number, end: number) {
    this.#section = section;
    this.#start = start;
    this.#nameEnd = nameEnd;
    this.#end = end;
  }

  get name(): string {
    return String.fromCharCode(...this.#section.subarray(this.#start, this.#nameEnd));
  }
  get raw(): Uint8Array {
    return this.#section.subarray(this.#start, this.#end);
  }
}
