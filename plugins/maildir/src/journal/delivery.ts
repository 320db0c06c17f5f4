import type { Delivery, Refusal } from "@mailhost/core";
import { missing } from "../delivery.ts";
import { type Held, type Made, MissingMailbox } from "../folders.ts";
import { LineEnds } from "../line-ends.ts";
import { type Place, placePath } from "../place.ts";
import { Reservation } from "../reservation.ts";
import type { Store } from "../store.ts";
import { targetsOf, topOf } from "../targets.ts";
import { finalName, uniqueName } from "../unique-name.ts";
import type { Staged } from "./entry.ts";
import type { Journal } from "./journal.ts";
import type { Piece } from "./memory.ts";
import * as record from "./record.ts";

/** One copy to be made, with the lines above the message. */
interface Headed {
  readonly place: Place;
  readonly top: string;
}

/** The copies of one message by way of the journal: one record of all, and their files follow. */
export class JournalDelivery {
  readonly #store: Store;
  readonly #journal: Journal;
  readonly #delivery: Delivery;
  readonly #reservation: Reservation;
  readonly #made: Made = [];
  readonly #held: Held[] = [];
  readonly #targets: readonly Headed[];
  /** The room for its record, until the journal has it. */
  #memory: Piece | undefined;
  #staged: Staged | undefined;

  private constructor(
    store: Store,
    journal: Journal,
    delivery: Delivery,
    { targets, memory }: { readonly targets: readonly Headed[]; readonly memory: Piece },
  ) {
    this.#targets = targets;
    this.#memory = memory;
    this.#store = store;
    this.#journal = journal;
    this.#delivery = delivery;
    this.#reservation = new Reservation(store);
  }

  /** Undefined when the journal does not take it, or there is something wrong with it. */
  static of(store: Store, journal: Journal, delivery: Delivery): JournalDelivery | undefined {
    const { settings } = store;
    const targets = targetsOf(settings, delivery)?.map(({ address, place }) => {
      const lines = topOf(delivery, address);
      return { place, top: settings.crlf ? lines : lines.replaceAll("\r\n", "\n") };
    });
    if (targets === undefined) return undefined;
    const heads = targets.map(({ place, top }) => ({ ...place, top }));
    const memory = journal.take(record.mostOctetsOf(heads, delivery.message.octets + 1));
    return memory && new JournalDelivery(store, journal, delivery, { targets, memory });
  }

  /** Makes sure that it can be committed. A refusal leaves nothing behind, and so does a rejection with the file system's error. */
  async stage(signal: AbortSignal): Promise<Refusal | undefined> {
    try {
      const refusal = await this.#reservation.take(this.#targets, this.#delivery.message.octets);
      if (refusal === undefined) await this.#write(signal);
      else await this.abort();
      return refusal;
    } catch (error) {
      await this.abort().catch(() => {});
      if (error instanceof MissingMailbox) return missing;
      throw error;
    }
  }

  async #write(signal: AbortSignal): Promise<void> {
    const memory = this.#memory;
    if (memory === undefined) return;
    const body = await this.#body(memory.octets, signal);
    const targets: record.Target[] = [];
    for (const target of this.#targets) targets.push(await this.#prepare(target, body));
    signal.throwIfAborted();
    const { fileMode } = this.#store.settings;
    this.#staged = await this.#journal.stage({ targets, mode: fileMode, body }, memory);
    this.#memory = undefined; // it answers for that now
    signal.throwIfAborted();
  }

  /** Puts it into its place. Gives its octets. */
  async #body(memory: Buffer, signal: AbortSignal): Promise<number> {
    const { message } = this.#delivery;
    const lineEnds = this.#store.settings.crlf ? undefined : new LineEnds();
    let end = record.bodyStart;
    for await (const chunk of message.open({ reuse: true })) {
      signal.throwIfAborted();
      if (lineEnds !== undefined) end = lineEnds.into(memory, end, chunk);
      else {
        memory.set(chunk, end);
        end += chunk.length;
      }
    }
    if (lineEnds !== undefined) end = lineEnds.end(memory, end);
    return end - record.bodyStart;
  }

  /** The mailbox is there when the message is acknowledged, with all that a file in it needs. */
  async #prepare({ place, top }: Headed, body: number): Promise<record.Target> {
    const { folders, settings, clock } = this.#store;
    this.#held.push(folders.hold(place));
    const { path } = await folders.open(place, this.#made);
    // Too many folders by tags: such mail goes to the inbox
    const subfolder = path === placePath(settings.root, place) ? place.subfolder : undefined;
    const name = finalName(uniqueName(clock.now()), Buffer.byteLength(top) + body);
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
    if (this.#memory !== undefined) this.#journal.giveBack(this.#memory);
    this.#memory = undefined;
    this.#reservation.release();
    this.#release(false);
    await this.#store.folders.unmake(this.#made);
  }

  #release(used: boolean): void {
    for (const held of this.#held.splice(0)) this.#store.folders.release(held, used);
  }
}
