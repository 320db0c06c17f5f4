import { type Address, readMailbox } from "./address.ts";
import { canonicalDomain, canonicalLiteral } from "./domain.ts";
import { codeAt, isBlankAt } from "./octets.ts";

/** Where a path was read to, and what it names. `null` is the null reverse-path `<>`. */
export interface PathRead<P> {
  readonly path: P;
  /** Index of the first character behind the path. */
  readonly end: number;
}

/**
 * Reads `<…>` of MAIL FROM, RFC 5321 §4.1.2. Source routes are read and dropped (§4.1.1.3, appendix C).
 * Blanks before the path and a path without brackets are taken too: clients send both.
 */
export function readReversePath(text: string, start = 0): PathRead<Address | null> | undefined {
  const from = skipBlanks(text, start);
  if (text.startsWith("<>", from)) return bounded(text, { path: null, end: from + 2 });
  return readPath(text, from);
}

/** Reads `<…>` of RCPT TO. `<postmaster>` without a domain is an address with an empty domain (§4.5.1). */
export function readForwardPath(text: string, start = 0): PathRead<Address> | undefined {
  const from = skipBlanks(text, start);
  return readPath(text, from) ?? readPostmaster(text, from);
}

function readPostmaster(text: string, from: number): PathRead<Address> | undefined {
  const postmaster = /^<?postmaster>?(?=[ \t]|$)/i.exec(text.slice(from));
  if (postmaster === null || postmaster[0].startsWith("<") !== postmaster[0].endsWith(">")) return undefined;
  const written = postmaster[0].replace(/[<>]/g, "");
  const address: Address = { localPart: "postmaster", domain: "", text: written };
  return { path: address, end: from + postmaster[0].length };
}

const [opening, closing, atSign] = [0x3c, 0x3e, 0x40];

function readPath(text: string, from: number): PathRead<Address> | undefined {
  const bracketed = codeAt(text, from) === opening;
  const start = bracketed ? skipSourceRoute(text, from + 1) : from;
  if (start === undefined) return undefined;
  const path = readMailbox(text, start);
  if (path === undefined) return undefined;
  const end = start + path.text.length;
  if (bracketed && codeAt(text, end) !== closing) return undefined;
  return bounded(text, { path, end: bracketed ? end + 1 : end });
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (isBlankAt(text, at)) at += 1;
  return at;
}

/** A path ends at a blank or at the end of the line: `<a@b>SIZE=1` is no path. */
function bounded<P>(text: string, read: PathRead<P>): PathRead<P> | undefined {
  return read.end === text.length || isBlankAt(text, read.end) ? read : undefined;
}

/** Index behind `@a,@b:`; the index itself when there is none; undefined when it is malformed. */
function skipSourceRoute(text: string, from: number): number | undefined {
  if (codeAt(text, from) !== atSign) return from;
  let hop = from;
  while (codeAt(text, hop) === atSign) {
    const end = hopEnd(text, hop + 1);
    if (!isDomain(text.slice(hop + 1, end))) return undefined;
    if (text[end] === ":") return end + 1;
    hop = end + 1; // behind a comma, or behind the end
  }
  return undefined;
}

/** Where a hop ends; the colons of an IPv6 literal are its own. */
function hopEnd(text: string, from: number): number {
  let end = text[from] === "[" ? text.indexOf("]", from) + 1 : from;
  if (end === 0) return text.length;
  while (end < text.length && text[end] !== "," && text[end] !== ":") end += 1;
  return end;
}

const isDomain = (text: string): boolean => canonicalDomain(text) !== undefined || canonicalLiteral(text) !== undefined;
