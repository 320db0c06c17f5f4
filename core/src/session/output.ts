import { type Reply, encodeReply } from "../protocol/reply.ts";
import type { Wire } from "./wire.ts";

/** Replies on their way out: those of one pipelined group leave in one write (RFC 2920 §3.2). */
export class Output {
  readonly #wire: Wire;
  readonly #replies: Uint8Array[] = [];
  #octets = 0;
  /** The client does not read what was written. */
  congested = false;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  send(reply: Reply): void {
    const octets = encodeReply(reply);
    this.#replies.push(octets);
    this.#octets += octets.length;
  }

  flush(): void {
    const [first] = this.#replies;
    if (first === undefined) return;
    const octets = this.#octets === first.length ? first : this.#joined();
    this.#replies.length = 0;
    this.#octets = 0;
    if (!this.#wire.write(octets)) this.congested = true;
  }

  #joined(): Uint8Array {
    const joined = Buffer.allocUnsafe(this.#octets);
    let at = 0;
    for (const octets of this.#replies) {
      joined.set(octets, at);
      at += octets.length;
    }
    return joined;
  }
}
