import type { Clock } from "@mailhost/core";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type Files, syncFolder } from "../files.ts";
import type { Entry } from "./entry.ts";
import type { Home } from "./home.ts";
import { mostRecordOctets } from "./memory.ts";
import { Segment, segmentOctets, segmentStart } from "./segment.ts";

/** Segments of one log: what it may take of the disk. */
const mostSegments = 32;

/** Empty ones that are kept; and room for marks, which end what is under way. */
const spareSegments = 2;

/** Milliseconds for which no other segment is made behind one that could not be: to find out fills the disk each time. */
const shortFor = 10_000;

/** Turns of the event loop that a batch may grow. */
const mostTurns = 8;

const usable = segmentOctets - segmentStart - mostRecordOctets;

/** Where a record stands. */
export interface Place {
  readonly segment: Segment;
  readonly at: number;
}

interface Waiting {
  readonly record: Buffer;
  readonly entry: Entry | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Records one behind the other, over segments that are used again. */
export class Log {
  readonly #files: Files;
  readonly #home: Home;
  readonly #fsync: boolean;
  readonly #clock: Clock;
  #count = 0;
  /** Oldest first. */
  readonly used: Segment[] = [];
  /** The last of them, while it takes what comes. */
  #current: Segment | undefined;
  readonly #free: Segment[] = [];
  /** The last that had another made ahead of its end. */
  #lookedAhead: Segment | undefined;
  #shortUntil = -Infinity;
  #reserved = 0;
  #growing: Promise<void> = Promise.resolve();
  #queue: Waiting[] = [];
  #writing: Promise<void> | undefined;

  constructor(files: Files, home: Home, fsync: boolean, clock: Clock) {
    this.#clock = clock;
    this.#files = files;
    this.#home = home;
    this.#fsync = fsync;
  }

  /** Whether the segment may yet take a record. */
  takesInto(segment: Segment): boolean {
    return segment === this.#current;
  }

  /** What comes next goes into another segment. False when something is being written just now. */
  turn(): boolean {
    if (this.#writing !== undefined) return false;
    this.#current = undefined;
    return true;
  }

  /** Octets for which there are segments still, those that are reserved included. None for a while where one could not be made. */
  get room(): number {
    if (this.#clock.now() < this.#shortUntil) return 0;
    const left = mostSegments - spareSegments - this.used.length;
    return Math.max(0, left) * usable;
  }

  /**
   * Resolves when there is room on the disk for a record of so many octets: only then may it be promised.
   * Rejects with the file system's error. Given back with `release`.
   */
  async reserve(octets: number): Promise<void> {
    this.#reserved += octets;
    if (this.#fits()) return;
    try {
      await this.#next(() => this.#grow());
    } catch (error) {
      this.#reserved -= octets;
      throw error;
    }
  }

  release(octets: number): void {
    this.#reserved -= octets;
  }

  #fits(): boolean {
    return (this.#current?.room ?? 0) + this.#free.length * usable >= this.#reserved;
  }

  /** One segment is made after the other. */
  #next(work: () => Promise<void>): Promise<void> {
    this.#growing = this.#growing.catch(() => {}).then(work);
    return this.#growing;
  }

  async #grow(): Promise<void> {
    while (!this.#fits()) this.#free.push(await this.#create());
  }

  /** Once a segment is half full the next is made, or its last would wait for that. Where it cannot be, they do. */
  #lookAhead(segment: Segment): void {
    if (segment.room > segmentOctets / 2 || segment === this.#lookedAhead || this.room === 0) return;
    this.#lookedAhead = segment;
    const spare = async (): Promise<void> => {
      if (this.#free.length === 0) this.#free.push(await this.#create());
    };
    this.#next(spare).catch(() => {});
  }

  /** More than half of it is in use. */
  get crowded(): boolean {
    return this.used.length > mostSegments / 2;
  }

  /**
   * Resolves when the disk has the record of that message, which its segment keeps until it is taken from there.
   * All who wait are written at once, and share one fdatasync.
   */
  append(record: Buffer, entry: Entry): Promise<void> {
    return this.#add(record, entry);
  }

  /** Resolves when the mark is written, which is not yet on the disk. */
  note(mark: Buffer): Promise<void> {
    return this.#add(mark, undefined);
  }

  #add(record: Buffer, entry: Entry | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ record, entry, resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#gather();
      let batch: Waiting[] = [];
      try {
        const segment = await this.#segmentFor(this.#queue[0]?.record.length ?? 0);
        batch = this.#take(segment.room);
        await this.#writeTo(segment, batch);
        for (const { resolve } of batch) resolve();
        this.#lookAhead(segment);
      } catch (error) {
        const failed = batch.length > 0 ? batch : this.#queue.splice(0);
        for (const { reject } of failed) reject(error);
      }
    }
    this.#writing = undefined;
  }

  /** Whoever is heard of in the same turn comes along, and in the next ones while there are more. */
  async #gather(): Promise<void> {
    for (let turn = 0, before = 0; before < this.#queue.length && turn < mostTurns; turn += 1) {
      before = this.#queue.length;
      await setImmediate();
    }
  }

  async #writeTo(segment: Segment, batch: readonly Waiting[]): Promise<void> {
    const places = await segment.write(batch.map(({ record }) => record));
    let marks = true;
    for (const [index, { entry }] of batch.entries()) {
      if (entry === undefined) continue;
      marks = false;
      entry.place = { segment, at: places[index] ?? 0 };
      segment.entries.add(entry);
    }
    if (!marks) await segment.sync();
  }

  /** As many as fit, in order. */
  #take(room: number): Waiting[] {
    let octets = 0;
    const first = this.#queue.findIndex(({ record }) => (octets += record.length) > room);
    return this.#queue.splice(0, first < 0 ? this.#queue.length : first);
  }

  async #segmentFor(octets: number): Promise<Segment> {
    if (this.#current !== undefined && this.#current.room >= octets) return this.#current;
    this.#current = undefined;
    const segment = this.#free.pop() ?? (await this.#create());
    segment.since = this.#clock.now();
    this.used.push(segment);
    this.#current = segment;
    return segment;
  }

  async #create(): Promise<Segment> {
    try {
      return await this.#make();
    } catch (error) {
      this.#shortUntil = this.#clock.now() + shortFor;
      throw error;
    }
  }

  async #make(): Promise<Segment> {
    const home = await this.#home.open();
    const segment = await Segment.create(this.#files, join(home, `${(this.#count += 1)}.log`), this.#fsync);
    try {
      if (this.#fsync) await syncFolder(this.#files, home);
      return segment;
    } catch (error) {
      await segment.remove(this.#files).catch(() => {});
      throw error;
    }
  }

  /** Nothing in the oldest segment counts any more. */
  async releaseOldest(): Promise<void> {
    const [oldest] = this.used;
    if (oldest === undefined) return;
    const renewed = await oldest.renew();
    this.used.shift();
    if (renewed !== undefined && this.#free.length <= spareSegments) this.#free.push(renewed);
    else await oldest.remove(this.#files);
  }

  /** Removes what counts no more, and leaves what does for the next start. */
  async close(): Promise<void> {
    await this.#growing.catch(() => {});
    await this.idle();
    this.#current = undefined; // a delivery that was waited for in vain may come yet: never into a file that is closed
    for (const segment of this.#free.splice(0)) await segment.remove(this.#files);
    for (const segment of this.used.splice(0)) await segment.leave();
  }
}
