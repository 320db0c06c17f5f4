import { type Delivery, type Refusal, defer, reject } from "@mailhost/core";
import { Copy } from "./copy.ts";
import { type Made, MissingMailbox } from "./folders.ts";
import { Reservation } from "./reservation.ts";
import type { Store } from "./store.ts";
import { type Target, targetsOf, topOf } from "./targets.ts";

export const missing = reject("No such mailbox here", { code: 550, status: "5.1.1" });
export const badNexthop = defer("Recipient is routed wrongly", { code: 451, status: "4.3.5" });

/** The copies of one message: all are written, then all are shown; or none is left. */
export class MaildirDelivery {
  readonly #store: Store;
  readonly #delivery: Delivery;
  readonly #copies: Copy[] = [];
  readonly #made: Made = [];
  readonly #reservation: Reservation;

  constructor(store: Store, delivery: Delivery) {
    this.#store = store;
    this.#delivery = delivery;
    this.#reservation = new Reservation(store);
  }

  /** Writes all copies. A refusal leaves nothing behind, and so does a rejection with the file system's error. */
  async stage(signal: AbortSignal): Promise<Refusal | undefined> {
    const targets = targetsOf(this.#store.settings, this.#delivery);
    if (targets === undefined) return badNexthop;
    const { octets } = this.#delivery.message;
    try {
      const refusal = (await this.#reservation.take(targets, octets)) ?? (await this.#write(targets, signal));
      if (refusal !== undefined) await this.abort();
      return refusal;
    } catch (error) {
      await this.#abandon();
      throw error;
    }
  }

  async #write(targets: readonly Target[], signal: AbortSignal): Promise<Refusal | undefined> {
    const { files, folders, settings, clock, blocks } = this.#store;
    const { message } = this.#delivery;
    const failed = targets.length > 1 ? new AbortController() : undefined; // one copy that cannot be written ends the writing of the others
    const either = failed === undefined ? signal : AbortSignal.any([signal, failed.signal]);
    const errors: unknown[] = [];
    const write = async ({ address, place }: Target): Promise<void> => {
      const copy = new Copy(files, folders, settings, place, clock.now(), this.#made);
      this.#copies.push(copy);
      try {
        const top = topOf(this.#delivery, address);
        await blocks.lend(top.length + message.octets, (block) => copy.write({ top, message }, block, either));
      } catch (error) {
        errors.push(error);
        if (!(error instanceof MissingMailbox)) failed?.abort(error);
      }
    };
    await Promise.all(targets.map(write));
    const error = errors.find((one) => !(one instanceof MissingMailbox));
    if (error !== undefined) throw error;
    return errors.length > 0 ? missing : undefined;
  }

  /** Shows all copies and makes that durable. On an error none stays, as far as the disk lets go of them: the client will come again. */
  async commit(): Promise<void> {
    try {
      for (const copy of this.#copies) await copy.show();
      await this.#settle();
    } catch (error) {
      await this.#abandon();
      throw error;
    }
    for (const copy of this.#copies) copy.release(true);
    this.#reservation.release();
  }

  async #settle(): Promise<void> {
    const once = new Map(this.#copies.map((copy) => [copy.maildir.path, copy]));
    const settled = await Promise.allSettled([...once.values()].map((copy) => copy.settle()));
    for (const one of settled) if (one.status === "rejected") throw one.reason;
    for (const copy of this.#copies) await copy.leave();
  }

  /** Leaves nothing behind. */
  async abort(): Promise<void> {
    this.#reservation.release();
    const removals = await Promise.allSettled(this.#copies.map((copy) => copy.remove()));
    await this.#store.folders.unmake(this.#made);
    const failure = removals.find((removal) => removal.status === "rejected");
    if (failure !== undefined) throw failure.reason;
  }

  /** As `abort`, where the error that led here is the one to tell. */
  async #abandon(): Promise<void> {
    await this.abort().catch(() => {});
  }
}
