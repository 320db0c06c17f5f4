import { replies } from "../protocol/replies.ts";
import { errorCode } from "./error-code.ts";
import type { Reply } from "../protocol/reply.ts";
import { HeaderSplitter } from "./header.ts";
import { Message, sameName } from "./message.ts";
import { type Soon, attempt, soon } from "../protocol/soon.ts";
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

  /** However the octets were cut: what is too big is not refused for its header. */
  #refuseSize(): void {
    if (this.#problem === undefined || this.#problem === replies.headerTooBig) this.#problem = replies.tooBig;
  }

  write(slice: Uint8Array): void {
    this.#octets += slice.length;
    if (this.#most > 0 && this.#octets > this.#most) this.#refuseSize(); // RFC 1870 §6.3
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
  finish(): Soon<Message | Reply> {
    const header = this.#header;
    header.end();
    const { fields } = header;
    if (fields.length > mostHops && fields.filter((field) => sameName(field.name, "Received")).length > mostHops)
      this.refuse(replies.tooManyHops);
    const stored = this.#problem === undefined ? attempt(() => this.#spool.finish(), this.#failed) : undefined;
    return soon(stored, () => {
      const problem = this.#problem;
      if (problem !== undefined) return soon(this.discard(), () => problem);
      return new Message(this.#spool, fields, header.octets, header.separated);
    });
  }

  readonly #failed = (error: unknown): void => this.refuse(storageReply(error));

  discard(): Soon<void> {
    return this.#spool.dispose();
  }
}

const noSpace = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** 452 when the disk is full, 451 for any other failure of the file system. */
export function storageReply(error: unknown): Reply {
  return noSpace.has(errorCode(error)) ? replies.noStorage : replies.internal;
}
