import type { LiveGeneration } from "../host/generation.ts";
import { MessageReceiver } from "../message/receiver.ts";
import type { SpoolPlace } from "../message/spool.ts";
import { type BareLineEnds, DotReader } from "../protocol/body.ts";
import { replies } from "../protocol/replies.ts";
import type { State, Step } from "../protocol/machine.ts";
import type { Session, Transaction } from "../protocol/session.ts";

/** A body that is arriving, and where the dialogue stands once it is over. */
export class BodyIntake {
  readonly receiver: MessageReceiver;
  readonly transaction: Transaction;
  readonly next: State;
  readonly #reader: DotReader;
  readonly #refuseBare: boolean;

  constructor(transaction: Transaction, next: State, bare: BareLineEnds, place: SpoolPlace, mostOctets: number) {
    this.transaction = transaction;
    this.next = next;
    this.receiver = new MessageReceiver(place, mostOctets);
    this.#reader = new DotReader(bare);
    this.#refuseBare = bare === "refuse";
  }

  /** Reads; gives the index behind the end of the body, or -1. A refused body is swallowed to its end (P11). */
  read(octets: Uint8Array): number {
    const end = this.#reader.push(octets, (slice) => this.receiver.write(slice));
    if (this.#reader.sawBare && this.#refuseBare) this.receiver.refuse(replies.bareLineEnd);
    return end;
  }
}

/** A body as the listener takes it. The budget and the files of `spool` are everybody's, what one message may hold is the listener's. */
export function openBody(
  { transaction, state }: Extract<Step, { go: "body" }>,
  { client }: Session,
  { limits, bareLineEnds }: LiveGeneration,
  { budget, files }: SpoolPlace,
): BodyIntake {
  const place: SpoolPlace = { budget, files, memoryOctets: limits.messageMemoryOctets };
  return new BodyIntake(transaction, state, bareLineEnds(client.address), place, limits.messageOctets);
}
