import { type Refusal, defer, reject } from "@mailhost/core";
import type { Room } from "./quota.ts";
import type { Store } from "./store.ts";
import type { Target } from "./targets.ts";

export const full = defer("Mailbox is full", { code: 452, status: "4.2.2" }); // RFC 3463 §3.3: a persistent transient failure
const overQuota = reject("Message is larger than the mailbox", { code: 552, status: "5.2.3" });

const refusalFor: Record<Room, Refusal | undefined> = { enough: undefined, full, tooBig: overQuota };

/** The room that the copies of one message have in their mailboxes, from before they are written until they are counted. */
export class Reservation {
  readonly #store: Store;
  #release: (() => void)[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  async take(targets: readonly Pick<Target, "place">[], octets: number): Promise<Refusal | undefined> {
    const { quotas } = this.#store;
    if (quotas === undefined) return undefined;
    const refusals: Refusal[] = [];
    for (const { place } of targets) {
      const mailbox = this.#store.mailboxOf(place);
      const room = await quotas.reserve(mailbox, octets);
      if (room === "enough") this.#release.push(() => quotas.release(mailbox, octets));
      const refusal = refusalFor[room];
      if (refusal !== undefined) refusals.push(refusal);
    }
    return refusals.find(({ reply }) => reply.code < 500) ?? refusals[0];
  }

  release(): void {
    for (const release of this.#release) release();
    this.#release = [];
  }
}
