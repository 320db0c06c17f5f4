import { type BareLineEnds, DotReader } from "../../src/protocol/body.ts";
import { joinOctets } from "../../src/protocol/octets.ts";

/** What a body was read as. */
export interface Read {
  readonly content: string;
  /** Index behind the end in all the octets, or -1. */
  readonly end: number;
  readonly bare: boolean;
}

export const latin1 = (octets: Uint8Array): string => Buffer.from(octets).toString("latin1");
export const octetsOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

export function read(pieces: readonly Uint8Array[], bare: BareLineEnds = "refuse"): Read {
  const reader = new DotReader(bare);
  const content: Uint8Array[] = [];
  let passed = 0;
  for (const piece of pieces) {
    const end = reader.push(piece, (slice) => content.push(slice.slice()));
    if (end >= 0) return { content: latin1(joinOctets(content)), end: passed + end, bare: reader.sawBare };
    passed += piece.length;
  }
  return { content: latin1(joinOctets(content)), end: -1, bare: reader.sawBare };
}

export const readText = (text: string, bare?: BareLineEnds): Read => read([octetsOf(text)], bare);

/** The same automaton, written as plainly as can be. */
export function oracle(text: string, bare: BareLineEnds): Read {
  const end = `\r\n${text}`.indexOf("\r\n.\r\n");
  const body = end < 0 ? text : text.slice(0, end);
  const isBare = /(?<!\r)\n|\r(?!\n)/.test(end < 0 ? body.replace(/\r$/, "") : body);
  const unstuffed = `\r\n${body}`.replace(/\r\n\./g, "\r\n").slice(2);
  const content =
    bare === "normalize" ? unstuffed.replace(/\r\n|\r|\n/g, "\r\n") : unstuffed.replace(/(?<!\r)\n|\r(?!\n)/g, "");
  return { content, end: end < 0 ? -1 : end + 3, bare: isBare };
}

const alphabet = ["\r", "\n", ".", "a"];

/** Every body of CR, LF, dot and a letter. */
export function* words(length: number): Generator<string> {
  if (length === 0) return yield "";
  for (const shorter of words(length - 1)) for (const letter of alphabet) yield shorter + letter;
}
