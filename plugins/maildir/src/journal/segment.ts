import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { crc32 } from "node:zlib";
import { type Files, type OpenFile, removeFile } from "../files.ts";
import type { Entry } from "./entry.ts";
import { seal, tagOctets } from "./record.ts";

/** Read again only when a disk has failed. */
const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Octets of one file of the log. */
export const segmentOctets = 8 * 1024 * 1024;

/** So many of it are written at once: what is being acknowledged waits for the disk behind them. */
const stepOctets = 1024 * 1024;

/** One piece many times over: a buffer of a segment's size would have to be paged in first, which takes ten times as long. */
const zeros = Array<Buffer>(8).fill(Buffer.alloc(stepOctets / 8));

const magic = Buffer.from("mhjourn2", "latin1");
const headOctets = magic.length + tagOctets + 4;
/** Where records begin. */
export const segmentStart = headOctets;

/** What a segment in use begins with. */
function headOf(tag: Uint8Array): Buffer {
  const head = Buffer.concat([magic, tag, Buffer.alloc(4)]);
  head.writeUInt32LE(crc32(head.subarray(0, -4)), headOctets - 4);
  return head;
}

/** The tag of a segment's present use: `none` where it has no use, `broken` where there was one. */
export function tagOf(octets: Buffer): Buffer | "none" | "broken" {
  const head = octets.subarray(0, headOctets);
  if (head.every((octet) => octet === 0)) return "none";
  const tag = head.subarray(magic.length, magic.length + tagOctets);
  return octets.length === segmentOctets && head.equals(headOf(tag)) ? tag : "broken";
}

/** One file of the log, of one size for good: an fdatasync then writes octets and nothing about the file. */
export class Segment {
  readonly path: string;
  /** What it holds that is not durable elsewhere. */
  readonly entries = new Set<Entry>();
  /** Milliseconds when it was taken into use. */
  since = 0;
  readonly #file: OpenFile;
  readonly #fsync: boolean;
  readonly #tag = randomBytes(tagOctets);
  #end = 0;
  #durable = 0;
  /** A write or an fdatasync failed: what stands at the end is unknown, and nothing more is written or synced. */
  #closed = false;

  private constructor(file: OpenFile, path: string, fsync: boolean) {
    this.#file = file;
    this.path = path;
    this.#fsync = fsync;
  }

  /** A new file full of zeros. Leaves nothing behind when there is no room for it. */
  static async create(files: Files, path: string, fsync: boolean): Promise<Segment> {
    const file = await files.open(path, flags, 0o600);
    try {
      for (let at = 0; at < segmentOctets; at += stepOctets) {
        await writePieces(file, zeros, at);
        if (fsync) await file.sync();
      }
      return new Segment(file, path, fsync);
    } catch (error) {
      await file.close().catch(() => {});
      await removeFile(files, path).catch(() => {});
      throw error;
    }
  }

  get room(): number {
    return this.#closed ? 0 : segmentOctets - Math.max(this.#end, segmentStart);
  }

  /** One batch behind what is there. Gives where each record begins. On an error the segment takes no more. */
  async write(records: readonly Buffer[]): Promise<number[]> {
    const first = this.#end === 0;
    let end = first ? segmentStart : this.#end;
    const places = records.map((record) => {
      seal(record, this.#tag, this.#durable);
      end += record.length;
      return end - record.length;
    });
    try {
      await writePieces(this.#file, first ? [headOf(this.#tag), ...records] : records, this.#end);
    } catch (error) {
      this.#closed = true;
      throw error;
    }
    this.#end = end;
    return places;
  }

  /** Resolves when what is written by now is on the disk. */
  async sync(): Promise<void> {
    if (!this.#fsync) return;
    const end = this.#end;
    try {
      await this.#file.datasync();
      this.#durable = end;
    } catch (error) {
      this.#closed = true;
      throw error;
    }
  }

  read(at: number, length: number): Promise<Buffer> {
    return readAll(this.#file, at, length);
  }

  /** Its records count no more; the same file, empty. Undefined where it is not to be trusted. */
  async renew(): Promise<Segment | undefined> {
    if (this.#closed) return undefined;
    await writeAll(this.#file, Buffer.alloc(headOctets), 0);
    return new Segment(this.#file, this.path, this.#fsync);
  }

  async remove(files: Files): Promise<void> {
    await this.#file.close().catch(() => {});
    await removeFile(files, this.path);
  }

  /** Leaves the file for the next start. */
  async leave(): Promise<void> {
    await this.#file.close().catch(() => {});
  }
}

const noMore = "the journal takes no more";

/** All of it at once, and on its own what was not taken then. */
export async function writePieces(file: OpenFile, pieces: readonly Uint8Array[], position: number): Promise<void> {
  const { bytesWritten } = await file.writev(pieces, position);
  if (bytesWritten === 0) throw new Error(noMore);
  let end = 0;
  for (const piece of pieces) {
    const begin = end;
    end += piece.length;
    const from = Math.max(begin, bytesWritten);
    if (from < end) await writeAll(file, piece.subarray(from - begin), position + from);
  }
}

async function writeAll(file: OpenFile, octets: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < octets.length;) {
    const { bytesWritten } = await file.write(octets, at, octets.length - at, position + at);
    if (bytesWritten === 0) throw new Error(noMore); // or this would go on for ever
    at += bytesWritten;
  }
}

/** So many octets from there, or fewer where the file ends. */
export async function readAll(file: OpenFile, position: number, length: number): Promise<Buffer> {
  const octets = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const { bytesRead } = await file.read(octets, at, length - at, position + at);
    if (bytesRead === 0) return octets.subarray(0, at);
    at += bytesRead;
  }
  return octets;
}
