import { CR, LF, decodeUtf8 } from "./octets.ts";

/** One command line without CRLF, or what was wrong with it. */
export type LineRead = Line | "tooLong" | "badLineEnd" | "badOctets";

export interface Line {
  readonly text: string;
  /** On the wire, CRLF included. */
  readonly octets: number;
}

const nothing = new Uint8Array(0);

/** A pipelined group is decoded at once: a hundred recipients. */
const groupOctets = 4096;

/**
 * What the client sent and nobody has read yet, as lines or as raw octets.
 * However the octets were cut on their way, the same lines come out. A line without end is dropped
 * while it arrives, so memory stays within one line and one chunk (RFC 5321 §4.5.3.1.4).
 */
export class Input {
  #octets: Uint8Array = nothing;
  /** What #octets is the front of, once they had to be copied. */
  #room: Uint8Array = nothing;
  #at = 0;
  /** Index up to which no LF was found. */
  #searched = 0;
  #dropping = false;
  /** Lines decoded at once, and the index of their first octet: ASCII, so that octets and characters are one. */
  #text = "";
  #textAt = 0;
  readonly #free: (room: ArrayBufferLike) => void;

  /** `free` gets the memory of copies that nobody will look at again. */
  constructor(free: (room: ArrayBufferLike) => void = () => {}) {
    this.#free = free;
  }

  /** Octets that wait. */
  get length(): number {
    return this.#octets.length - this.#at;
  }

  /** Takes octets in, lent until `keep`. */
  push(chunk: Uint8Array): void {
    const waiting = this.length;
    if (waiting === 0) {
      this.clear();
      this.#octets = chunk;
      return;
    }
    // Room grows by doubling: one octet at a time costs no more than all at once
    const before = this.#room;
    if (this.#octets.length + chunk.length <= before.length) {
      before.set(chunk, this.#octets.length);
      this.#octets = before.subarray(0, this.#octets.length + chunk.length);
      return;
    }
    this.#room = new Uint8Array(2 * (waiting + chunk.length));
    this.#room.set(this.peek());
    this.#room.set(chunk, waiting);
    this.#octets = this.#room.subarray(0, waiting + chunk.length);
    this.#begin();
    if (before.length > 0) this.#free(before.buffer);
  }

  /** Copies what still waits of a chunk that was lent. */
  keep(): void {
    if (this.length === 0 || this.#room.length > 0) return;
    this.#room = new Uint8Array(this.peek()); // the slice of a Buffer would be no copy
    this.#octets = this.#room;
    this.#begin();
  }

  /** What waited has moved to the front. */
  #begin(): void {
    this.#searched = Math.max(0, this.#searched - this.#at);
    this.#at = 0;
    this.#text = "";
    this.#textAt = 0;
  }

  /** Everything that waits. `consume` what was used of it. */
  peek(): Uint8Array {
    return this.#at === 0 ? this.#octets : this.#octets.subarray(this.#at);
  }

  consume(octets: number): void {
    this.#at += octets;
    if (this.#at >= this.#octets.length) this.clear();
  }

  clear(): void {
    if (this.#room.length > 0) this.#free(this.#room.buffer);
    this.#octets = nothing;
    this.#room = nothing;
    this.#at = 0;
    this.#searched = 0;
    this.#text = "";
    this.#textAt = 0;
  }

  /** The next line of at most `most` octets, CRLF included, or undefined while it is incomplete. */
  line(most: number): LineRead | undefined {
    const start = this.#at;
    const octets = this.#octets;
    const at = start - this.#textAt;
    const decoded = at < this.#text.length;
    const end = decoded
      ? this.#textAt + this.#text.indexOf("\n", at)
      : octets.indexOf(LF, Math.max(this.#searched, start));
    if (end < 0) return this.#incomplete(most);
    const length = end + 1 - start;
    const read = this.#dropping || length > most ? "tooLong" : this.#read(start, end);
    this.#dropping = false;
    this.consume(length);
    return read;
  }

  #incomplete(most: number): undefined {
    this.#searched = this.#octets.length;
    if (!this.#dropping && this.length <= most) return;
    this.#dropping = true;
    this.clear();
  }

  /** The line whose LF stands at `end`. */
  #read(start: number, end: number): LineRead {
    // RFC 5321 §2.3.8: lines end with CRLF, and CR stands nowhere else
    if (end === start || this.#octets[end - 1] !== CR) return "badLineEnd";
    const octets = end + 1 - start;
    if (start - this.#textAt >= this.#text.length) this.#decode(start, end + 1);
    const at = start - this.#textAt;
    if (at < this.#text.length) {
      const text = this.#text.slice(at, at + octets - 2);
      return text.includes("\r") ? "badOctets" : { text, octets };
    }
    const text = decodeUtf8(this.#octets.subarray(start, end - 1));
    return text === undefined || forbidden.test(text) ? "badOctets" : { text, octets };
  }

  /** Decodes all lines that are there, from one that ends before `end`, if they are plain text. */
  #decode(start: number, end: number): void {
    const last = this.#octets.lastIndexOf(LF, start + groupOctets - 1) + 1;
    const group = this.#octets.subarray(start, Math.max(last, end));
    const text = decodeUtf8(group);
    this.#textAt = start;
    this.#text = text?.length === group.length && !forbiddenInGroup.test(text) ? text : "";
  }
}

// TAB, printable ASCII and UTF-8. Never NUL, CR, ESC or DEL
// oxlint-disable-next-line no-control-regex -- control octets are what must not pass
const forbidden = /[\x00-\x08\x0a-\x1f\x7f]/;
// oxlint-disable-next-line no-control-regex -- as above, with the line ends of a group
const forbiddenInGroup = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;
