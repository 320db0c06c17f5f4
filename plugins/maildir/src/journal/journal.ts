import type { Clock, Log as ServerLog } from "@mailhost/core";
import type { Entry, Staged } from "./entry.ts";
import { Follower } from "./follower.ts";
import type { Hands } from "./hands.ts";
import { Home } from "./home.ts";
import { Log } from "./log.ts";
import { Memory, type Piece, mostRecordOctets } from "./memory.ts";
import { beatMilliseconds } from "./owner.ts";
import type { Outlet } from "./put.ts";
import { type Unfinished, finishMessage, kinds, markRecord } from "./record.ts";
import { Settler } from "./settler.ts";

const nobody = (): void => {};

/** The kernel has written back by itself what is older: making it durable is cheap then. */
const settleAfter = 40_000;

export interface JournalSettings {
  readonly outlet: Outlet;
  /** They do the work on the files; the outlet what is rare. */
  readonly hands: Hands;
  readonly fsync: boolean;
  readonly clock: Clock;
  readonly log: ServerLog;
}

/** Acknowledges messages by a log, and puts out their files behind that. One for a root and a process. */
export class Journal {
  readonly #settings: JournalSettings;
  readonly #home: Home;
  readonly #log: Log;
  readonly #follower: Follower;
  readonly #settler: Settler;
  readonly #memory = new Memory();
  #numbers = 0;
  /** Octets of the pieces that were given out. */
  #held = 0;
  #gone = false;
  #stopBeat: (() => void) | undefined;

  constructor(settings: JournalSettings) {
    this.#settings = settings;
    const { outlet, hands, fsync, clock } = settings;
    this.#home = new Home(outlet.files, outlet.root, fsync);
    this.#log = new Log(outlet.files, this.#home, fsync, clock);
    this.#follower = new Follower(
      hands,
      (shown) => this.#shown(shown),
      this.#complain("mail that was acknowledged waits in the journal: its file cannot be written"),
    );
    this.#settler = new Settler(
      settings,
      this.#log,
      this.#complain("mail stays in the journal: its file cannot be made durable"),
    );
  }

  #complain(message: string): (error: unknown) => void {
    const { log, outlet } = this.#settings;
    return (error) => log.error({ err: error, root: outlet.root }, message);
  }

  /**
   * Memory for a record of so many octets, until it is shown, aborted or given back. Undefined when it is none for the
   * journal, and goes the way without: a large one would gain nothing, and a full log is no reason to refuse.
   */
  take(octets: number): Piece | undefined {
    if (octets > Math.min(mostRecordOctets, this.#log.room - this.#held) || this.#follower.stuck || this.#gone) return;
    const memory = this.#memory.take(octets);
    if (memory !== undefined) this.#held += octets;
    return memory;
  }

  giveBack(memory: Piece): void {
    this.#held -= memory.octets.length;
    memory.giveBack();
  }

  /** Makes sure of its room in the log. Its body stands in the memory; nothing is written before it is committed. */
  async stage(message: Unfinished, memory: Piece): Promise<Staged> {
    const number = (this.#numbers += 1);
    const record = memory.trim(finishMessage(memory.octets, number, message));
    const { length } = record;
    await this.#log.reserve(length);
    this.#startBeat();
    const { targets } = message;
    const entry: Entry = { number, targets, length, isOut: false, place: undefined, doubtful: false, shown: nobody };
    return { entry, record, memory };
  }

  /** Resolves when the disk has it. Its files follow, and `shown` hears of them. On an error it is taken back. */
  async commit(staged: Staged, shown: () => void): Promise<void> {
    const { entry, record } = staged;
    try {
      await this.#log.append(record, entry);
    } catch (error) {
      // It may stand there all the same. Should the mark not, a kill makes the retry double the message
      await this.#log.note(markRecord(kinds.cancel, [entry.number])).catch(() => {});
      this.abort(staged);
      throw error;
    }
    this.#log.release(entry.length);
    entry.shown = shown;
    this.#follower.add(staged);
  }

  /** It will not be committed, or could not be. */
  abort({ entry, memory }: Staged): void {
    this.#log.release(entry.length);
    this.giveBack(memory);
    entry.place?.segment.entries.delete(entry);
  }

  #shown(shown: readonly Staged[]): void {
    // For who looks after a kill: what a reader has deleted since does not come again
    const numbers = shown.map(({ entry }) => entry.number);
    void this.#log.note(markRecord(kinds.shown, numbers)).catch(() => {});
    for (const { entry, memory } of shown) {
      this.giveBack(memory);
      entry.shown();
      entry.shown = nobody; // or the delivery and its session would stay as long as the record
    }
    if (this.#log.crowded) void this.#settler.run(0);
  }

  #startBeat(): void {
    this.#stopBeat ??= this.#settings.clock.after(beatMilliseconds, () => {
      this.#stopBeat = undefined;
      void this.#beat();
      this.#startBeat();
    });
  }

  async #beat(): Promise<void> {
    this.#follower.retry();
    void this.#settler.run(settleAfter);
    try {
      await this.#home.beat(this.#settings.clock.now());
    } catch (error) {
      if (!this.#gone) this.#complain("the journal's folder is gone: deliveries go on without")(error);
      this.#gone = true;
    }
  }

  /** Puts out and makes durable all there is. What cannot be stays for the next start. */
  async close(): Promise<void> {
    this.#stopBeat?.();
    this.#follower.retry();
    await this.#follower.idle();
    await this.#log.idle();
    this.#log.turn();
    await this.#settler.run(0);
    await this.#settings.hands.close();
    const empty = this.#log.used.length === 0;
    await this.#log.close();
    await this.#home.close(empty);
  }
}
