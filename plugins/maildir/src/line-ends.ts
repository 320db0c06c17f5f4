const CR = 0x0d;
const LF = 0x0a;

/** Turns CRLF into LF and changes nothing else, wherever the octets are cut: a lone CR stays, CR CR LF becomes CR LF. */
export class LineEnds {
  /** The last piece ended with a CR, which waits for what follows. */
  #waiting = false;

  push(octets: Uint8Array): Uint8Array {
    const out = Buffer.allocUnsafe(octets.length + 1);
    return out.subarray(0, this.into(out, 0, octets));
  }

  /** As `push`, to that place in `out`, which has room for one octet more than there are. Gives where it ends there. */
  into(out: Uint8Array, place: number, octets: Uint8Array): number {
    if (octets.length === 0) return place;
    let length = place;
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
    return length + octets.length - from;
  }

  /** What still waits. */
  end(): Uint8Array {
    return Uint8Array.from(this.#waiting ? [CR] : []);
  }
}
