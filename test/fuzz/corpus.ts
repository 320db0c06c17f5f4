import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Pieces, read, written } from "./input.ts";

const fileOf = (folder: string, target: string): string => join(folder, `${target}.jsonl`);

/** The kept inputs of a target, one a line. */
export const readCorpus = (folder: string, target: string): Pieces[] =>
  readFileSync(fileOf(folder, target), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map(read);

export function writeCorpus(folder: string, target: string, corpus: readonly Pieces[]): void {
  const lines = [...new Set(corpus.map(written))].toSorted();
  writeFileSync(fileOf(folder, target), lines.map((line) => `${line}\n`).join(""));
}
