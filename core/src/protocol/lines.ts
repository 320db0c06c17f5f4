import { CR, LF } from "./octets.ts";

/** One command line: its octets without CRLF, or what was wrong with it. */
export type LineRead = Uint8Array | "tooLong" | "badLineEnd" | "badOctets";

const nothing = new Uint8Array(0);

/**
 * What the client sent and nobody has read yet, as lines or as raw octets.
 * However the octets were cut on their way, the same lines come out. A line without end is dropped
 * while it arrives, so memory stays within one line and one chunk (RFC 5321 §4.5.3.1.4).
 */
export class Input {
  #octets: Uint8Array = nothing;
  /** What #octets is the front of, once pieces had to be joined. */
  #room: Uint8Array = nothing;
  #at = 0;
  /** Index up to which no LF was found. */
  #searched = 0;
  #dropping = false;

  /** Octets that wait. */
  get length(): number {
    return this.#octets.length - this.#at;
  }

  /** Takes octets in, lent until `keep`. */
  push(chunk: Uint8Array): void {
    const waiting = this.length;
    if (waiting === 0) {
      this.clear();
      this.#octets = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length); // the slice of a Buffer is no copy
      return;
    }
    // Room grows by doubling: one octet at a time costs no more than all at once
    const buffer = this.#octets.buffer === this.#room.buffer ? this.#room : undefined;
    if (buffer !== undefined && this.#octets.length + chunk.length <= buffer.length) {
      buffer.set(chunk, this.#octets.length);
      this.#octets = buffer.subarray(0, this.#octets.length + chunk.length);
      return;
    }
    this.#room = new Uint8Array(2 * (waiting + chunk.length));
    this.#room.set(this.peek());
    this.#room.set(chunk, waiting);
    this.#searched = Math.max(0, this.#searched - this.#at);
    this.#octets = this.#room.subarray(0, waiting + chunk.length);
    this.#at = 0;
  }

  /** Copies what still waits of a chunk that was lent. */
  keep(): void {
    if (this.length === 0 || this.#octets.buffer === this.#room.buffer) return;
    this.#room = this.#octets.slice(this.#at);
    this.#searched = Math.max(0, this.#searched - this.#at);
    this.#octets = this.#room;
    this.#at = 0;
  }

  /** Everything that waits. `consume` what was used of it. */
  peek(): Uint8Array {
    return this.#octets.subarray(this.#at);
  }

  consume(octets: number): void {
    this.#at += octets;
    if (this.#at >= this.#octets.length) this.clear();
  }

  clear(): void {
    this.#octets = nothing;
    this.#room = nothing;
    this.#at = 0;
    this.#searched = 0;
  }

  /** The next line of at most `most` octets, CRLF included, or undefined while it is incomplete. */
  line(most: number): LineRead | undefined {
    const octets = this.#octets;
    const start = this.#at;
    const end = octets.indexOf(LF, Math.max(this.#searched, start));
    if (end < 0) {
      this.#searched = octets.length;
      if (this.#dropping || octets.length - start > most) {
        this.#dropping = true;
        this.clear();
      }
      return undefined;
    }
    this.consume(end + 1 - start);
    if (this.#dropping || end + 1 - start > most) {
      this.#dropping = false;
      return "tooLong";
    }
    // RFC 5321 §2.3.8: lines end with CRLF, and CR stands nowhere else
    if (end === start || octets[end - 1] !== CR) return "badLineEnd";
    const line = octets.subarray(start, end - 1);
    return line.every(isAllowed) ? line : "badOctets";
  }
}

/** TAB, printable ASCII and UTF-8. Never NUL, CR, ESC or DEL. */
const isAllowed = (octet: number): boolean => (octet >= 0x20 ? octet !== 0x7f : octet === 0x09);
