import type { Delivery, Refusal } from "@mailhost/core";
import { badNexthop, missing } from "../delivery.ts";
import { type Made, MissingMailbox } from "../folders.ts";
import { LineEnds } from "../line-ends.ts";
import { placePath } from "../mailbox.ts";
import { Reservation } from "../reservation.ts";
import type { Store } from "../store.ts";
import { type Target, targetsOf, topOf } from "../targets.ts";
import { finalName, uniqueName } from "../unique-name.ts";
import type { Staged } from "./entry.ts";
import type { Journal } from "./journal.ts";
import type * as record from "./record.ts";

/** The copies of one message by way of the journal: one record of all, and their files follow. */
export class JournalDelivery {
  readonly #store: Store;
  readonly #journal: Journal;
  readonly #delivery: Delivery;
  readonly #reservation: Reservation;
  readonly #made: Made = [];
  readonly #held: Target[] = [];
  readonly #octets: number;
  #promised: number;
  #staged: Staged | undefined;

  /** `octets` are the message's, `promised` what the journal keeps for it. */
  constructor(
    store: Store,
    journal: Journal,
    delivery: Delivery,
    { octets, promised }: { readonly octets: number; readonly promised: number },
  ) {
    this.#octets = octets;
    this.#promised = promised;
    this.#store = store;
    this.#journal = journal;
    this.#delivery = delivery;
    this.#reservation = new Reservation(store);
  }

  /** Makes sure that it can be committed. A refusal leaves nothing behind, and so does a rejection with the file system's error. */
  async stage(signal: AbortSignal): Promise<Refusal | undefined> {
    const targets = targetsOf(this.#store.settings, this.#delivery);
    try {
      const refusal = targets === undefined ? badNexthop : await this.#reservation.take(targets, this.#octets);
      if (targets !== undefined && refusal === undefined) await this.#write(targets, signal);
      else await this.abort();
      return refusal;
    } catch (error) {
      await this.abort().catch(() => {});
      if (error instanceof MissingMailbox) return missing;
      throw error;
    }
  }

  async #write(targets: readonly Target[], signal: AbortSignal): Promise<void> {
    const body = await this.#body(signal);
    const copies: record.Target[] = [];
    for (const target of targets) copies.push(await this.#prepare(target, body.length));
    signal.throwIfAborted();
    const { fileMode } = this.#store.settings;
    this.#staged = await this.#journal.stage({ targets: copies, mode: fileMode, body }, this.#promised);
    this.#promised = 0; // it answers for that now
    signal.throwIfAborted();
  }

  async #body(signal: AbortSignal): Promise<Uint8Array> {
    const { message } = this.#delivery;
    const lineEnds = this.#store.settings.crlf ? undefined : new LineEnds();
    const body = Buffer.allocUnsafeSlow(this.#octets + 1);
    let length = 0;
    const add = (octets: Uint8Array): void => {
      body.set(octets, length);
      length += octets.length;
    };
    for await (const chunk of message.open({ reuse: true })) {
      signal.throwIfAborted();
      if (lineEnds === undefined) add(chunk);
      else length = lineEnds.into(body, length, chunk);
    }
    if (lineEnds !== undefined) add(lineEnds.end());
    return body.subarray(0, length);
  }

  /** The mailbox is there when the message is acknowledged, with all that a file in it needs. */
  async #prepare(target: Target, octets: number): Promise<record.Target> {
    const { folders, settings, clock } = this.#store;
    const { address, place } = target;
    folders.hold(place);
    this.#held.push(target);
    const path = placePath(settings.root, place);
    const folder = folders.recent(place) ?? (await folders.open(place, this.#made));
    // Too many folders by tags: such mail goes to the inbox
    const subfolder = folder === path ? place.subfolder : undefined;
    const lines = topOf(this.#delivery, address);
    const top = settings.crlf ? lines : lines.replaceAll("\r\n", "\n");
    const name = finalName(uniqueName(clock.now()), Buffer.byteLength(top) + octets);
    return { steps: place.steps, subfolder, name, top };
  }

  /** Acknowledges all copies at once. On an error none will be shown: the client will come again. */
  async commit(): Promise<void> {
    const staged = this.#staged;
    if (staged === undefined) return;
    this.#staged = undefined;
    try {
      await this.#journal.commit(staged, () => this.#reservation.release());
    } catch (error) {
      await this.abort().catch(() => {});
      throw error;
    }
    this.#release(true);
  }

  /** Leaves nothing behind. */
  async abort(): Promise<void> {
    if (this.#staged !== undefined) this.#journal.abort(this.#staged);
    this.#staged = undefined;
    this.#journal.giveBack(this.#promised);
    this.#promised = 0;
    this.#reservation.release();
    this.#release(false);
    await this.#store.folders.unmake(this.#made);
  }

  #release(used: boolean): void {
    for (const { place } of this.#held.splice(0)) this.#store.folders.release(place, used);
  }
}
