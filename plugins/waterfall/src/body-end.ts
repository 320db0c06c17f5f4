const end = [0x0d, 0x0a, 0x2e, 0x0d, 0x0a]; // <CRLF>.<CRLF>, RFC 5321 §4.1.1.4

/** Whether a body that comes in cuts has come to its end. A body that goes on never stops at these five octets. */
export class BodyEnd {
  // The line of DATA itself ends with CRLF: a body may be nothing but its final dot
  #last: readonly number[] = [0x0d, 0x0a];

  push(octets: Uint8Array): void {
    this.#last = [...this.#last, ...octets.subarray(-end.length)].slice(-end.length);
  }

  get seen(): boolean {
    return end.every((octet, at) => this.#last[at] === octet);
  }
}
