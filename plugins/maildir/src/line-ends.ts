const CR = 0x0d;
const LF = 0x0a;

/** Turns CRLF into LF and changes nothing else, wherever the octets are cut: a lone CR stays, CR CR LF becomes CR LF. */
export class LineEnds {
  /** The last piece ended with a CR, which waits for what follows. */
  #waiting = false;

  push(octets: Uint8Array): Uint8Array {
    if (octets.length === 0) return octets;
    const out = new Uint8Array(octets.length + 1);
    let length = 0;
    if (this.#waiting && octets[0] !== LF) out[length++] = CR;
    this.#waiting = false;
    let from = 0;
    for (let at = octets.indexOf(CR); at >= 0; at = octets.indexOf(CR, at + 1)) {
      const next = octets[at + 1];
      if (next === undefined) this.#waiting = true;
      if (next !== undefined && next !== LF) continue;
      out.set(octets.subarray(from, at), length);
      length += at - from;
      from = at + 1;
    }
    out.set(octets.subarray(from), length);
    return out.subarray(0, length + octets.length - from);
  }

  /** What still waits. */
  end(): Uint8Array {
    return Uint8Array.from(this.#waiting ? [CR] : []);
  }
}
