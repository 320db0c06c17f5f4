import type { Soon } from "@mailhost/core";
import type { MemoryTable, Rule } from "./memory.ts";

/** Counts under keys; the answer is what a key has then. */
export interface Counter {
  add(key: string, points: number): Soon<number>;
  read(key: string): Soon<number>;
}

/** Counts in this process. */
export class MemoryCounter implements Counter {
  readonly #table: MemoryTable;
  readonly #rule: Rule;

  constructor(table: MemoryTable, rule: Rule) {
    this.#table = table;
    this.#rule = rule;
  }

  add(key: string, points: number): number {
    return this.#table.add(key, points, this.#rule);
  }

  read(key: string): number {
    return this.#table.read(key);
  }
}
