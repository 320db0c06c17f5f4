import { constants } from "node:fs";
import type { Files, OpenFile } from "../files.ts";
import { type Found, kinds, readRecord, tagOctets } from "./record.ts";
import { readAll, segmentOctets, segmentStart, tagOf } from "./segment.ts";

/** A message that was acknowledged, and where its record stands. */
export interface Owed {
  readonly path: string;
  readonly at: number;
  readonly length: number;
  /** Its files were there, in the run of the system that wrote so. */
  readonly shown: boolean;
}

/** What a journal says when its owner is gone. */
export interface Reading {
  readonly owed: readonly Owed[];
  /** Files in which something is broken that was on the disk once. */
  readonly broken: readonly string[];
}

/** Reads the segments of a journal. Of what was never synced, any part may be missing: that was never acknowledged. */
export async function readJournal(files: Files, paths: readonly string[]): Promise<Reading> {
  const messages = new Map<number, Omit<Owed, "shown">>();
  const marked = { [kinds.cancel]: new Set<number>(), [kinds.shown]: new Set<number>() };
  const broken: string[] = [];
  for (const path of paths) {
    const { records, whole } = recordsIn(await readSegment(files, path));
    if (!whole) broken.push(path);
    for (const { kind, entries, at, length } of records) {
      if (kind === kinds.message) for (const entry of entries) messages.set(entry, { path, at, length });
      else for (const entry of entries) marked[kind].add(entry);
    }
  }
  const owed = [...messages]
    .filter(([entry]) => !marked[kinds.cancel].has(entry))
    .toSorted(([one], [other]) => one - other)
    .map(([entry, place]) => ({ ...place, shown: marked[kinds.shown].has(entry) }));
  return { owed, broken };
}

async function readSegment(files: Files, path: string): Promise<Buffer> {
  return withFile(files, path, (file) => readAll(file, 0, segmentOctets));
}

/** The octets of one record. */
export const readOwed = (files: Files, { path, at, length }: Owed): Promise<Buffer> =>
  withFile(files, path, (file) => readAll(file, at, length));

async function withFile<T>(files: Files, path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
  const file = await files.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** All whole records of the segment's present use, those behind a broken place too. */
export function recordsIn(octets: Buffer): { records: Found[]; whole: boolean } {
  const found = tagOf(octets);
  const records: Found[] = [];
  if (found === "none") return { records, whole: true };
  // Each record says the tag too
  const tag = found === "broken" ? octets.subarray(segmentStart, segmentStart + tagOctets) : found;
  let hole = Infinity;
  for (let at = segmentStart; at >= 0 && at < octets.length;) {
    const record = readRecord(octets, at, tag);
    if (record === undefined) hole = Math.min(hole, at);
    else records.push(record);
    at = record === undefined ? octets.indexOf(tag, at + 1) : at + record.length;
  }
  // Each record says how much was on the disk when it was made: what is missing below that was there once
  return { records, whole: found !== "broken" && hole >= (records.at(-1)?.durable ?? 0) };
}
