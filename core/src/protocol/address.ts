import { canonicalDomain, canonicalLiteral } from "./domain.ts";
import { DOT, codeAt, isAscii } from "./octets.ts";

/**
 * A mailbox, RFC 5321 §4.1.2. `localPart` is unquoted, `domain` is canonical (lower-case A-labels, or a literal
 * in brackets), `text` is the mailbox as the client wrote it, for fields that keep its case and quoting.
 */
export interface Address {
  readonly localPart: string;
  readonly domain: string;
  readonly text: string;
}

/** Which of ASCII is atext; a dot-string is atoms of it with single dots between them (RFC 5321 §4.1.2, RFC 6531 §3.3). */
const atext = new Uint8Array(0x80);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~")
  atext[char.charCodeAt(0)] = 1;

/** Blanks beyond ASCII are atext like any other character (RFC 6531 §3.3). */
const isAtext = (code: number): boolean => (code < 0x80 ? atext[code] === 1 : code >= 0xa0);

/** RFC 5321 §4.5.3.1.1 asks for 64 at least; VERP senders write longer local parts. */
const mostOfLocalPart = 256;

/** The mailbox that starts at `from`; its `text` is as long as what was read. Undefined when there is none. */
export function readMailbox(text: string, from: number): Address | undefined {
  const quoted = codeAt(text, from) === quote;
  const at = quoted ? quotedEnd(text, from) : dotStringEnd(text, from);
  if (at === from || codeAt(text, at) !== atSign) return undefined;
  const localPart = quoted ? unquoted(text.slice(from + 1, at - 1)) : text.slice(from, at);
  if (localPart.length > mostOfLocalPart) return undefined;
  const domain = readDomain(text, at + 1);
  if (domain === undefined) return undefined;
  const { written, canonical } = domain;
  return Object.freeze({ localPart, domain: canonical, text: text.slice(from, at + 1 + written.length) });
}

const [quote, atSign] = [0x22, 0x40];

/** A domain as it was written, and its canonical form. */
interface Domain {
  readonly written: string;
  readonly canonical: string;
}

/** The last two: who writes to many writes to many of one domain, and hardly ever from there. */
let last: Domain | undefined;
let lastButOne: Domain | undefined;

function readDomain(text: string, from: number): Domain | undefined {
  const bracket = text.indexOf(">", from);
  const inside = text.slice(from, bracket < 0 ? text.length : bracket);
  if (inside === last?.written) return last;
  const domain = inside === lastButOne?.written ? lastButOne : domainAtFront(inside);
  if (domain === undefined) return undefined;
  lastButOne = last;
  last = domain;
  return domain;
}

/** What a domain may hold is judged behind its end; Unicode's blanks would be folded away there. */
function domainAtFront(text: string): Domain | undefined {
  const blank = text.search(/\s/);
  const written = blank < 0 ? text : text.slice(0, blank);
  const canonical = written.startsWith("[") ? canonicalLiteral(written) : canonicalDomain(written);
  return canonical === undefined ? undefined : { written, canonical };
}

/** Index behind the dot-string that begins there; that index itself when there is none. */
function dotStringEnd(text: string, from: number): number {
  for (let end = from; ; end += 1) {
    const atom = end;
    while (end < text.length && isAtext(text.charCodeAt(end))) end += 1;
    if (end === atom) return from;
    if (codeAt(text, end) !== DOT) return end;
  }
}

/** Index behind the quoted string that begins there; that index itself when there is none. */
function quotedEnd(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at += 1) {
    if (text[at] === '"') return at + 1;
    if (text[at] === "\\") at += 1;
    // qtextSMTP and quoted-pairSMTP: printable only, so neither CR nor NUL ever passes
    const char = text.charAt(at);
    if (char < " " || (char > "~" && char < "\u00a0")) return from;
  }
  return from;
}

const unquoted = (text: string): string => text.replace(/\\(.)/gsu, "$1");

/** One mailbox and nothing else, or undefined: for options and command lines. */
export function parseAddress(text: string): Address | undefined {
  const address = readMailbox(text, 0);
  return address?.text.length === text.length ? address : undefined;
}

const isDotString = (text: string): boolean => text !== "" && dotStringEnd(text, 0) === text.length;

/** The address in its canonical spelling: the local part quoted only where it must be. */
export function formatAddress(address: Pick<Address, "localPart" | "domain">): string {
  const { localPart, domain } = address;
  const local = isDotString(localPart) ? localPart : `"${localPart.replace(/["\\]/g, "\\$&")}"`;
  return domain === "" ? local : `${local}@${domain}`;
}

/** Whether writing this address on the wire takes SMTPUTF8 (RFC 6531 §3.3). */
export const needsSmtputf8 = (address: Address): boolean => !isAscii(address.text);
