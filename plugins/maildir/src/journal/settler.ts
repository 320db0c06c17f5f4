import type { Entry } from "./entry.ts";
import type { JournalSettings } from "./journal.ts";
import type { Log } from "./log.ts";
import { folderOf, put } from "./put.ts";
import { contentOf } from "./record.ts";

/** Copies that are made durable at once, by folder: messages that are to be put out wait for them. */
const mostAtOnce = 64;

/** Checks off whole segments, the oldest first: once their files are durable, they are used again. */
export class Settler {
  readonly #settings: JournalSettings;
  readonly #log: Log;
  readonly #complain: (error: unknown) => void;
  /** The age that was asked for and is still to be looked at. */
  #wanted = Infinity;
  #running: Promise<void> | undefined;
  #failed = false;

  constructor(settings: JournalSettings, log: Log, complain: (error: unknown) => void) {
    this.#settings = settings;
    this.#log = log;
    this.#complain = complain;
  }

  /** Frees the oldest segments that are so many milliseconds old, as far as it goes. Never rejects. */
  run(age: number): Promise<void> {
    this.#wanted = Math.min(this.#wanted, age);
    return (this.#running ??= this.#run());
  }

  async #run(): Promise<void> {
    while (this.#wanted < Infinity) {
      const age = this.#wanted;
      this.#wanted = Infinity;
      try {
        await this.#oldest(age);
        this.#failed = false;
      } catch (error) {
        if (!this.#failed) this.#complain(error);
        this.#failed = true;
      }
    }
    this.#running = undefined;
  }

  async #oldest(age: number): Promise<void> {
    for (;;) {
      const [segment] = this.#log.used;
      if (segment === undefined || this.#settings.clock.now() - segment.since < age) return;
      // Marks follow messages: the last segment is never empty for long, and nobody waits for it
      if (this.#log.takesInto(segment) && (age === 0 || !this.#log.turn())) return;
      const entries = [...segment.entries];
      if (entries.some(({ isOut }) => !isOut)) return;
      if (this.#settings.fsync) await this.#makeDurable(entries);
      await this.#log.releaseOldest();
    }
  }

  async #makeDurable(entries: readonly Entry[]): Promise<void> {
    const { outlet, hands } = this.#settings;
    const copies = entries
      .filter(({ doubtful }) => !doubtful)
      .flatMap((entry) => entry.targets.map((target) => ({ entry, target, folder: folderOf(outlet, target) })))
      .toSorted((one, other) => (one.folder < other.folder ? -1 : Number(one.folder > other.folder)));
    for (let at = 0; at < copies.length; at += mostAtOnce) {
      const some = copies.slice(at, at + mostAtOnce);
      const failures = await hands.settle(some.map(({ target }) => target));
      for (const [place, { entry }] of some.entries()) if (failures.has(place)) entry.doubtful = true;
    }
    for (const entry of entries) if (entry.doubtful) await this.#putAnew(entry);
  }

  /** An fsync that failed may succeed the next time without having written anything. */
  async #putAnew(entry: Entry): Promise<void> {
    if (entry.place === undefined) return;
    const { segment, at } = entry.place;
    const content = contentOf(await segment.read(at, entry.length));
    for (const target of entry.targets) await put(this.#settings.outlet, content, target, { fsync: true });
    entry.doubtful = false;
  }
}
