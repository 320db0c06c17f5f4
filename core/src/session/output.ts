import { type Reply, encodeReply } from "../protocol/reply.ts";
import type { Wire } from "./wire.ts";

/** Replies on their way out: those of one pipelined group leave in one write (RFC 2920 §3.2). */
export class Output {
  readonly #wire: Wire;
  /** Most connections wait: those have none. */
  #replies: Uint8Array[] | undefined;
  /** The client does not read what was written. */
  congested = false;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  send(reply: Reply): void {
    const octets = encodeReply(reply);
    if (this.#replies === undefined) this.#replies = [octets];
    else this.#replies.push(octets);
  }

  flush(): void {
    const replies = this.#replies;
    if (replies === undefined) return;
    this.#replies = undefined;
    if (!this.#wire.write(joined(replies))) this.congested = true;
  }
}

function joined(replies: readonly Uint8Array[]): Uint8Array {
  const [first] = replies;
  return first !== undefined && replies.length === 1 ? first : Buffer.concat(replies);
}
