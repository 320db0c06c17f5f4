import {
  type Address,
  type Clock,
  type Delivery,
  type Refusal,
  defer,
  formatAddress,
  parseAddress,
  reject,
  errorCode,
} from "@mailhost/core";
import { Copy, type CopyContent } from "./copy.ts";
import type { Files } from "./files.ts";
import { Folders, type Made, MissingMailbox } from "./folders.ts";
import { lowerCase } from "./folder-name.ts";
import { Limiter } from "./limiter.ts";
import { type Place, locate, placePath } from "./mailbox.ts";
import { Quotas, type Room } from "./quota.ts";
import type { Settings } from "./settings.ts";

/** Copies written at once by one server: bounds open files and memory. */
const mostWriters = 32;

export const missing = reject("No such mailbox here", { code: 550, status: "5.1.1" });
export const full = defer("Mailbox is full", { code: 452, status: "4.2.2" }); // RFC 3463 §3.3: a persistent transient failure
const overQuota = reject("Message is larger than the mailbox", { code: 552, status: "5.2.3" });
const badNexthop = defer("Recipient is routed wrongly", { code: 451, status: "4.3.5" });

const refusalFor: Record<Room, Refusal | undefined> = { enough: undefined, full, tooBig: overQuota };

/** What all deliveries below one root share, over listeners and generations. */
export class Store {
  readonly files: Files;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly folders: Folders;
  readonly quotas: Quotas | undefined;
  readonly writers = new Limiter(mostWriters);

  constructor(files: Files, settings: Settings, clock: Clock) {
    this.files = files;
    this.settings = settings;
    this.clock = clock;
    this.folders = new Folders(files, settings);
    this.quotas = settings.quota === undefined ? undefined : new Quotas(files, settings.quota);
  }

  /** Path of the mailbox an address belongs to, for counting. */
  mailboxOf(place: Place): string {
    return placePath(this.settings.root, { ...place, subfolder: undefined });
  }

  /** Whether there is a mailbox at that path. Rejects with the file system's error; a root that is gone is one. */
  async has(mailbox: string): Promise<boolean> {
    await this.files.lstat(this.settings.root);
    try {
      return (await this.files.lstat(mailbox)).isDirectory();
    } catch (error) {
      if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return false;
      throw error;
    }
  }
}

/** One copy to be made. */
interface Target {
  readonly address: Address;
  readonly place: Place;
}

/** The copies of one message: all are written, then all are shown; or none is left. */
export class MaildirDelivery {
  readonly #store: Store;
  readonly #delivery: Delivery;
  readonly #copies: Copy[] = [];
  readonly #made: Made = [];
  #release: (() => void)[] = [];

  constructor(store: Store, delivery: Delivery) {
    this.#store = store;
    this.#delivery = delivery;
  }

  get paths(): string[] {
    return this.#copies.map(({ path }) => path);
  }

  /** Writes all copies. A refusal leaves nothing behind, and so does a rejection with the file system's error. */
  async stage(signal: AbortSignal): Promise<Refusal | undefined> {
    const targets = this.#targets();
    if (targets === undefined) return badNexthop;
    try {
      const refusal = (await this.#reserve(targets)) ?? (await this.#write(targets, signal));
      if (refusal !== undefined) await this.abort();
      return refusal;
    } catch (error) {
      await this.#abandon();
      throw error;
    }
  }

  /** One per recipient, and one for a recipient that was named twice. Undefined when a nexthop is no address. */
  #targets(): Target[] | undefined {
    const { settings } = this.#store;
    const targets = new Map<string, Target>();
    for (const { address, route } of this.#delivery.recipients) {
      const owner = route.nexthop === undefined ? address : parseAddress(route.nexthop);
      if (owner === undefined) return undefined;
      const place = locate(settings, owner);
      const recipient = formatAddress(address);
      const key = `${placePath("/", place)} ${settings.caseSensitive ? recipient : lowerCase(recipient)}`;
      if (!targets.has(key)) targets.set(key, { address, place });
    }
    return [...targets.values()];
  }

  async #reserve(targets: readonly Target[]): Promise<Refusal | undefined> {
    const { quotas } = this.#store;
    if (quotas === undefined) return undefined;
    const { octets } = this.#delivery.message;
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

  async #write(targets: readonly Target[], signal: AbortSignal): Promise<Refusal | undefined> {
    const { files, folders, settings, clock, writers } = this.#store;
    const failed = new AbortController(); // one copy that cannot be written ends the writing of the others
    const either = AbortSignal.any([signal, failed.signal]);
    const errors: unknown[] = [];
    const write = async ({ address, place }: Target): Promise<void> => {
      const copy = new Copy(files, folders, settings, place, clock.now(), this.#made);
      this.#copies.push(copy);
      try {
        await writers.run(() => copy.write(this.#content(address), either));
      } catch (error) {
        errors.push(error);
        if (!(error instanceof MissingMailbox)) failed.abort(error);
      }
    };
    await Promise.all(targets.map(write));
    const error = errors.find((one) => !(one instanceof MissingMailbox));
    if (error !== undefined) throw error;
    return errors.length > 0 ? missing : undefined;
  }

  #content(address: Address): CopyContent {
    const { reversePath, message } = this.#delivery;
    // `<postmaster>` was written without the domain it has here
    const recipient = address.text.includes("@") ? address.text : formatAddress(address);
    // RFC 5321 §4.4: case and quoting of the sender stay
    const top = line("Return-Path", `<${reversePath?.text ?? ""}>`) + line("Delivered-To", recipient);
    return { top, message };
  }

  /** Shows all copies and makes that durable. On an error none stays, as far as the disk lets go of them: the client will come again. */
  async commit(): Promise<void> {
    try {
      for (const copy of this.#copies) await copy.show();
      if (this.#store.settings.fsync) await this.#syncFolders();
    } catch (error) {
      await this.#abandon();
      throw error;
    }
    for (const copy of this.#copies) copy.release(true);
    this.#releaseRoom();
  }

  async #syncFolders(): Promise<void> {
    const { writers } = this.#store;
    const once = new Map(this.#copies.map((copy) => [copy.newFolder, copy]));
    await Promise.all([...once.values()].map((copy) => writers.run(() => copy.syncNew())));
  }

  /** Leaves nothing behind. */
  async abort(): Promise<void> {
    this.#releaseRoom();
    const removals = await Promise.allSettled(this.#copies.map((copy) => copy.remove()));
    await this.#store.folders.unmake(this.#made);
    const failure = removals.find((removal) => removal.status === "rejected");
    if (failure !== undefined) throw failure.reason;
  }

  /** As `abort`, where the error that led here is the one to tell. */
  async #abandon(): Promise<void> {
    await this.abort().catch(() => {});
  }

  #releaseRoom(): void {
    for (const release of this.#release) release();
    this.#release = [];
  }
}

/** The one writer of fields here: nothing that could begin a second field passes. */
function line(name: string, value: string): string {
  // oxlint-disable-next-line no-control-regex -- control octets are what must not pass
  if (/[\x00-\x1f\x7f]/.test(value)) throw new TypeError(`the value of ${name} holds a control octet`);
  return `${name}: ${value}\r\n`;
}
