import { copied, copyClean, openWindow } from "./clean.ts";
import { CR, DOT, LF } from "./octets.ts";

/** What to do with a CR or LF that stands alone in a body. */
export type BareLineEnds = "refuse" | "normalize";

type At = "lineStart" | "text" | "cr" | "dot" | "dotCr";

const crlf = new Uint8Array([CR, LF]);

/**
 * Reads the body of DATA: the five octets CRLF . CRLF end it and nothing else does, whatever the cuts;
 * a dot is dropped only behind CRLF (RFC 5321 §4.5.2). A lone CR or LF is noted in `sawBare`,
 * and becomes CRLF where the listener mends (RFC 6409 §8).
 */
export class DotReader {
  sawBare = false;
  #at: At = "lineStart";
  readonly #mend: boolean;

  constructor(bare: BareLineEnds) {
    this.#mend = bare === "normalize";
  }

  /**
   * Reads `chunk` and hands the content to `sink` in pieces, lent for the call.
   * Returns the index behind the end of the body, or -1 when the body goes on.
   */
  push(chunk: Uint8Array, sink: (piece: Uint8Array) => void): number {
    let at = 0;
    let windowEnd = 0;
    while (at < chunk.length) {
      if (this.#at === "lineStart" || this.#at === "text") {
        if (at >= windowEnd) windowEnd = openWindow(chunk, at);
        const to = copyClean(at, this.#at === "lineStart");
        if (to > at) {
          sink(copied());
          at = to;
          this.#at = chunk[at - 1] === LF ? "lineStart" : "text";
          continue;
        }
      }
      const octet = chunk[at];
      switch (this.#at) {
        case "lineStart":
        case "text":
          if (octet === DOT) this.#at = "dot";
          else if (octet === CR) this.#at = "cr";
          else this.#bare(sink); // LF
          at += 1;
          break;
        case "dot": // `.CR` may be the end; any other octet was stuffed
          if (octet === CR) {
            at += 1;
            this.#at = "dotCr";
          } else this.#at = "text";
          break;
        case "dotCr":
          if (octet === LF) {
            this.#at = "lineStart";
            return at + 1;
          }
          this.#at = "cr"; // the dot was stuffed, the CR is content so far
          break;
        case "cr": // a CR was read and is not handed over yet
          if (octet === LF) {
            sink(crlf);
            at += 1;
            this.#at = "lineStart";
          } else this.#bare(sink);
      }
    }
    return -1;
  }

  /** A CR or LF alone: what follows is in the middle of a line. */
  #bare(sink: (slice: Uint8Array) => void): void {
    this.sawBare = true;
    this.#at = "text";
    if (this.#mend) sink(crlf);
  }
}

/** The body as a client sends it: dots stuffed, ended by CRLF . CRLF (RFC 5321 §4.5.2). Content ends with CRLF or gets one. */
export function stuff(content: Uint8Array): Uint8Array {
  const dots = lineStartDots(content);
  const whole = content.at(-1) === LF && content.at(-2) === CR;
  const end = whole || content.length === 0 ? [DOT, CR, LF] : [CR, LF, DOT, CR, LF];
  const out = new Uint8Array(content.length + dots.length + end.length);
  let from = 0;
  for (const [before, dot] of dots.entries()) {
    out.set(content.subarray(from, dot), from + before);
    out[dot + before] = DOT;
    from = dot;
  }
  out.set(content.subarray(from), from + dots.length);
  out.set(end, content.length + dots.length);
  return out;
}

/** Where the dots are that begin a line. */
function lineStartDots(content: Uint8Array): number[] {
  const dots: number[] = [];
  for (let at = content.indexOf(DOT); at >= 0; at = content.indexOf(DOT, at + 1))
    if (at === 0 || (content[at - 1] === LF && content[at - 2] === CR)) dots.push(at);
  return dots;
}
