import { crc32 } from "node:zlib";

/** What a record says of an entry. An entry is one message on its way into the files of its recipients. */
export const kinds = {
  /** What it is, whole: once this is on the disk, it is acknowledged. */
  message: 1,
  /** Not acknowledged after all: the client was told to come again. */
  cancel: 2,
  /** The files are there, as far as this run of the system goes: not yet durable. */
  shown: 3,
} as const;

export type Kind = (typeof kinds)[keyof typeof kinds];

/** Where one copy goes, and what stands above the message in it. */
export interface Target {
  readonly steps: readonly string[];
  readonly subfolder: string | undefined;
  /** Name in `new`. */
  readonly name: string;
  readonly top: string;
}

export interface Content {
  readonly targets: readonly Target[];
  readonly mode: number;
  /** What all copies share, with the line ends they will have. */
  readonly body: Uint8Array;
}

/** The same, where the body is in its place already: only its octets are told. */
export interface Unfinished extends Omit<Content, "body"> {
  readonly body: number;
}

/** A record as it was found. */
export interface Found {
  readonly kind: Kind;
  readonly entries: readonly number[];
  readonly at: number;
  readonly length: number;
  /** Octets of this segment that were on the disk when the record was made. */
  readonly durable: number;
}

export const tagOctets = 8;
/** tag 8, CRC-32 of what follows 4, octets behind the head 4, durable 4, kind 4. */
const headOctets = tagOctets + 16;

/** The name of a file, and what is around it. */
const mostNameOctets = 512;

/** Where the body of a message begins in its record; behind it are the targets. */
export const bodyStart = headOctets + 8;

/** Octets of everything a record says of a target, at most. JSON makes six of one where it must. */
const mostTargetOctets = ({ steps, subfolder = "", top }: Omit<Target, "name">): number =>
  6 * Buffer.byteLength(top + subfolder + steps.join("")) + 3 * steps.length + mostNameOctets;

/** Octets of a record, at most. */
export const mostOctetsOf = (targets: readonly Omit<Target, "name">[], body: number): number =>
  targets.reduce((octets, target) => octets + mostTargetOctets(target), bodyStart + body + mostNameOctets);

/** Of an entry, as it stands in records: behind four thousand million of them numbers begin anew. */
const numberOf = (entry: number): number => entry >>> 0;

function begin(record: Buffer, kind: Kind, octets: number): void {
  record.writeUInt32LE(octets, tagOctets + 4);
  record.writeUInt32LE(kind, tagOctets + 12);
}

/** Makes a record of memory in which the body stands already. Gives how long it is. */
export function finishMessage(memory: Buffer, entry: number, { targets, mode, body }: Unfinished): number {
  const text = JSON.stringify({ targets, mode });
  const end = bodyStart + body;
  const octets = memory.write(text, end);
  if (octets !== Buffer.byteLength(text)) throw new RangeError("the record of a message is longer than was thought");
  begin(memory, kinds.message, 8 + body + octets);
  memory.writeUInt32LE(numberOf(entry), headOctets);
  memory.writeUInt32LE(octets, headOctets + 4);
  return end + octets;
}

export function markRecord(kind: Exclude<Kind, 1>, entries: readonly number[]): Buffer {
  const record = Buffer.alloc(headOctets + entries.length * 4);
  begin(record, kind, entries.length * 4);
  for (const [index, entry] of entries.entries()) record.writeUInt32LE(numberOf(entry), headOctets + index * 4);
  return record;
}

/** Makes the record one of this use of a segment: what an earlier use left there has another tag. */
export function seal(record: Buffer, tag: Uint8Array, durable: number): void {
  record.set(tag);
  record.writeUInt32LE(durable, tagOctets + 8);
  record.writeUInt32LE(crc32(record.subarray(tagOctets + 4)), tagOctets);
}

/** The record at that place, undefined when there is none that is whole. */
export function readRecord(octets: Buffer, at: number, tag: Uint8Array): Found | undefined {
  if (at + headOctets > octets.length || !octets.subarray(at, at + tagOctets).equals(tag)) return undefined;
  const head = at + tagOctets;
  const rest = octets.readUInt32LE(head + 4);
  const length = headOctets + rest;
  if (at + length > octets.length) return undefined;
  if (crc32(octets.subarray(head + 4, at + length)) !== octets.readUInt32LE(head)) return undefined;
  const kind = octets.readUInt32LE(head + 12) as Kind; // the checksum says that `make` wrote it
  const count = kind === kinds.message ? 1 : rest / 4;
  const entries = Array.from({ length: count }, (_, index) => octets.readUInt32LE(at + headOctets + index * 4));
  return { kind, entries, at, length, durable: octets.readUInt32LE(head + 8) };
}

/** What the record of a message holds. */
export function contentOf(record: Buffer): Content {
  const end = record.length - record.readUInt32LE(headOctets + 4);
  const { targets, mode } = JSON.parse(record.toString("utf8", end)) as Omit<Content, "body">; // as `finishMessage` wrote it
  return { targets, mode, body: record.subarray(bodyStart, end) };
}
