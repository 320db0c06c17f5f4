import type { Client, LineFault } from "@mailhost/core";
import { type BodyRecord, type DumpRecord, recordVersion } from "./records.ts";

/** One thing the client did. `heard` counts the server's lines that came before it. */
export type ClientStep = { readonly heard: number } & (
  | { readonly does: "line"; readonly line: string }
  /** A line with credentials; `line` shows what may be seen of it. */
  | { readonly does: "secret"; readonly line: string }
  /** A line that was none. Its octets are not in the dump. */
  | { readonly does: "fault"; readonly fault: LineFault }
  | { readonly does: "body"; readonly octets: Uint8Array }
  /** The TLS handshake. */
  | { readonly does: "secure"; readonly protocol: string }
  | { readonly does: "leave"; readonly reason: string }
);

/** The client's side of one connection, and what it was answered. */
export interface Dialogue {
  readonly session: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly listener: string;
  readonly client: Client;
  readonly steps: readonly ClientStep[];
  /** The server's lines. */
  readonly replies: readonly string[];
  /** Why this cannot be replayed as it was; empty when it can. */
  readonly gaps: readonly string[];
}

interface Growing extends Dialogue {
  client: Client;
  readonly steps: ClientStep[];
  readonly replies: string[];
  readonly gaps: string[];
}

/**
 * Reads a dump back: the client's side of each connection, in the order they closed, those that never did at the end.
 * Lines that are no records (half a line where the disk was full) are a gap of every dialogue that was open.
 * Throws a RangeError on a dump of another version.
 */
export async function* readDialogue(lines: Iterable<string> | AsyncIterable<string>): AsyncGenerator<Dialogue> {
  const open = new Map<string, Growing>();
  const gap = (why: string): void => open.forEach(({ gaps }) => void gaps.push(why));
  for await (const line of lines) {
    if (line.trim() === "") continue;
    const record = readRecord(line);
    if (record === undefined) gap("a line of the dump is damaged");
    else if (record.type === "dropped" && record.session === "") gap(missing(record.records));
    else {
      const dialogue = open.get(record.session) ?? begin(record);
      open.set(record.session, dialogue);
      grow(dialogue, record);
      if (record.type !== "close") continue;
      open.delete(record.session);
      yield dialogue;
    }
  }
  for (const dialogue of open.values()) {
    if (dialogue.steps.length === 0 && dialogue.replies.length === 0) continue; // told of after its close
    dialogue.gaps.push("the dump ends before the connection");
    yield dialogue;
  }
}

const missing = (records: number): string => `${records} records are missing`;

/** A line of a dump, or undefined when it is none. Throws a RangeError when it is of another version. */
export function readRecord(line: string): DumpRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (!("v" in value && "type" in value && "session" in value && "at" in value)) return undefined;
  if (value.v !== recordVersion)
    throw new RangeError(`records of version ${String(value.v)} are not known here, only ${recordVersion}`);
  return value as DumpRecord; // our own form, by its version
}

function begin(record: DumpRecord): Growing {
  const nobody: Client = { address: "", port: 0 };
  const { client, listener } = record.type === "open" ? record : { client: nobody, listener: "" };
  const gaps = record.type === "open" ? [] : ["the dump begins after the connection"];
  return { session: record.session, startedAt: record.at, listener, client, steps: [], replies: [], gaps };
}

function grow(dialogue: Growing, record: DumpRecord): void {
  const { steps, replies, gaps } = dialogue;
  const heard = replies.length;
  switch (record.type) {
    case "client":
      if (record.fault !== undefined) steps.push({ does: "fault", fault: record.fault, heard });
      else steps.push({ does: record.secret === true ? "secret" : "line", line: record.line, heard });
      break;
    case "server":
      replies.push(record.line);
      break;
    case "body":
      growBody(dialogue, record, heard);
      break;
    case "secured":
      steps.push({ does: "secure", protocol: record.protocol, heard });
      break;
    case "assumed":
      // Named before the banner: nothing the client said names it again
      if (heard === 0 && steps.length === 0) dialogue.client = record.client;
      break;
    case "dropped":
      gaps.push(missing(record.records));
      break;
    case "close":
      steps.push({ does: "leave", reason: record.reason, heard });
      break;
    default:
  }
}

function growBody({ steps, gaps }: Growing, { octets, base64 = "" }: BodyRecord, heard: number): void {
  const piece = Buffer.from(base64, "base64");
  if (piece.length < octets) gaps.push("a body is not shown whole");
  const before = steps.at(-1);
  if (before?.does !== "body") steps.push({ does: "body", octets: piece, heard });
  else steps[steps.length - 1] = { ...before, octets: Buffer.concat([before.octets, piece]) };
}

const encoder = new TextEncoder();

/** A line without end is too long for any server. */
const longLine = `${"X".repeat(128 * 1024)}\r\n`;

const badLines: Record<LineFault, () => Uint8Array> = {
  tooLong: () => encoder.encode(longLine),
  badLineEnd: () => encoder.encode("X\n"),
  badOctets: () => Uint8Array.of(0xff, 0x0d, 0x0a),
  otherProtocol: () => Uint8Array.of(0x16, 0x03, 0x01), // a TLS record
};

/**
 * The octets a replayer sends for a step: none for the handshake and the end. `secret` gives the line to send in place of
 * one with credentials, without CRLF; what it is told shows the command. A fault is played with octets that have the same fault.
 */
export function octetsOf(step: ClientStep, secret: (shown: string) => string): Uint8Array {
  switch (step.does) {
    case "line":
      return encoder.encode(`${step.line}\r\n`);
    case "secret":
      return encoder.encode(`${secret(step.line)}\r\n`);
    case "fault":
      return badLines[step.fault]();
    case "body":
      return step.octets;
    default:
      return new Uint8Array(0);
  }
}
