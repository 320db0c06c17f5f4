// The mailbox that the bench writes to, as a reader sees it.
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { middle } from "./statistics.mts";

const namesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return []; // made with the first message
  }
};

/** What comes into a folder from now on. */
export class Arrivals {
  readonly #folder: string;
  readonly #before: ReadonlySet<string>;

  constructor(folder: string) {
    this.#folder = folder;
    this.#before = new Set(namesIn(folder));
  }

  /** Waits for so many messages of that size at least. */
  async all(count: number, octets: number): Promise<readonly string[]> {
    for (let tries = 0; tries < 3000; tries += 1) {
      const names = namesIn(this.#folder).filter((name) => !this.#before.has(name));
      if (names.length >= count) return this.#checked(names, count, octets);
      await sleep(20);
    }
    throw new Error(`not all of ${count} messages arrive`);
  }

  #checked(names: readonly string[], count: number, octets: number): readonly string[] {
    if (names.length > count) throw new Error(`${names.length} messages arrived, and ${count} were sent`);
    // An octet less a line where lines end with LF
    const short = names.find((name) => statSync(join(this.#folder, name)).size < octets * 0.98);
    if (short !== undefined) throw new Error(`a message is stored in part: ${short}`);
    return names;
  }

  /** Messages a second, from when the first was renamed into the folder to when the last was. */
  rate(names: readonly string[]): number {
    const times = names.map((name) => statSync(join(this.#folder, name)).ctimeMs);
    return ((names.length - 1) * 1000) / Math.max(1, middle(times, 1) - middle(times, 0));
  }

  remove(names: readonly string[]): void {
    for (const name of names) rmSync(join(this.#folder, name));
  }
}
