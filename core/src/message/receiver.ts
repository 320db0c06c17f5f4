import { replies } from "../protocol/replies.ts";
import { errorCode } from "./error-code.ts";
import type { Reply } from "../protocol/reply.ts";
import { HeaderSplitter } from "./header.ts";
import { Message, sameName } from "./message.ts";
import { Spool, type SpoolPlace } from "./spool.ts";

/** RFC 5321 §6.3: more Received fields than this are a loop. */
const mostHops = 100;

/** Takes in one body: counts, splits the header off, stores. What is refused is swallowed, not stored. */
export class MessageReceiver {
  readonly #spool: Spool;
  readonly #header = new HeaderSplitter();
  readonly #most: number;
  #octets = 0;
  #problem: Reply | undefined;

  /** `most` octets, 0 for no limit. */
  constructor(place: SpoolPlace, most: number) {
    this.#spool = new Spool(place);
    this.#most = most;
  }

  get octets(): number {
    return this.#octets;
  }

  /** The octets that arrive now belong to the header section. */
  get inHeader(): boolean {
    return !this.#header.ended;
  }

  /** Why the message will be refused. */
  get problem(): Reply | undefined {
    return this.#problem;
  }

  refuse(reply: Reply): void {
    this.#problem ??= reply;
  }

  write(slice: Uint8Array): void {
    this.#octets += slice.length;
    if (this.#most > 0 && this.#octets > this.#most) this.refuse(replies.tooBig); // RFC 1870 §6.3
    if (this.#problem !== undefined) return;
    this.#header.push(slice);
    if (this.#header.tooBig) this.refuse(replies.headerTooBig);
    this.#spool.write(slice);
  }

  /** No more may be written until `drained`. */
  get full(): boolean {
    return this.#spool.full;
  }

  drained(): Promise<void> {
    return this.#spool.drained();
  }

  /** The body is over. Gives the message, or the reply that refuses it. */
  async finish(): Promise<Message | Reply> {
    this.#header.end();
    if (this.#header.fields.filter((field) => sameName(field.name, "Received")).length > mostHops)
      this.refuse(replies.tooManyHops);
    try {
      if (this.#problem === undefined) await this.#spool.finish();
    } catch (error) {
      this.refuse(storageReply(error));
    }
    if (this.#problem !== undefined) {
      await this.discard();
      return this.#problem;
    }
    const { fields, octets, separated } = this.#header;
    return new Message(this.#spool, fields, octets, separated);
  }

  discard(): Promise<void> {
    return this.#spool.dispose();
  }
}

const noSpace = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** 452 when the disk is full, 451 for any other failure of the file system. */
export function storageReply(error: unknown): Reply {
  return noSpace.has(errorCode(error)) ? replies.noStorage : replies.internal;
}
