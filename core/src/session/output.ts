import { joinOctets } from "../protocol/octets.ts";
import { type Reply, encodeReply } from "../protocol/reply.ts";
import type { Wire } from "./wire.ts";

/** Replies on their way out: those of one pipelined group leave in one write (RFC 2920 §3.2). */
export class Output {
  readonly #wire: Wire;
  #replies: Uint8Array[] = [];
  /** The client does not read what was written. */
  congested = false;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  send(reply: Reply): void {
    this.#replies.push(encodeReply(reply));
  }

  flush(): void {
    if (this.#replies.length === 0) return;
    const octets = joinOctets(this.#replies);
    this.#replies = [];
    if (!this.#wire.write(octets)) this.congested = true;
  }
}
