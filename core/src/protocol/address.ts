import { canonicalDomain, canonicalLiteral } from "./domain.ts";
import { DOT, isAscii } from "./octets.ts";

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

/** What a domain may hold is judged behind it; Unicode's blanks would be folded away there. */
const upToDomainEnd = /[^>\s]*/y;

/** RFC 5321 §4.5.3.1.1 asks for 64 at least; VERP senders write longer local parts. */
const mostOfLocalPart = 256;

/** Where the mailbox that starts at `from` ends, and what it is. Undefined when there is none. */
export function readMailbox(text: string, from: number): { address: Address; end: number } | undefined {
  const local = text[from] === '"' ? readQuoted(text, from) : readDotString(text, from);
  if (local === undefined || text[local.end] !== "@") return undefined;
  if (local.value.length > mostOfLocalPart) return undefined;
  const start = local.end + 1;
  upToDomainEnd.lastIndex = start;
  upToDomainEnd.test(text);
  const end = upToDomainEnd.lastIndex;
  const domain = readDomain(text.slice(start, end));
  if (domain === undefined) return undefined;
  return { address: Object.freeze({ localPart: local.value, domain, text: text.slice(from, end) }), end };
}

/** Who writes to many writes to many of one domain. */
let lastDomain: { readonly written: string; readonly canonical: string } = { written: "", canonical: "" };

function readDomain(written: string): string | undefined {
  if (written !== "" && written === lastDomain.written) return lastDomain.canonical;
  const canonical = written.startsWith("[") ? canonicalLiteral(written) : canonicalDomain(written);
  if (canonical !== undefined) lastDomain = { written, canonical };
  return canonical;
}

function readDotString(text: string, from: number): { value: string; end: number } | undefined {
  const end = dotStringEnd(text, from);
  return end > from ? { value: text.slice(from, end), end } : undefined;
}

/** Index behind the dot-string that begins there; that index itself when there is none. */
function dotStringEnd(text: string, from: number): number {
  for (let at = from; ; at += 1) {
    const atom = at;
    while (at < text.length && isAtext(text.charCodeAt(at))) at += 1;
    if (at === atom) return from;
    if (text.charCodeAt(at) !== DOT) return at;
  }
}

function readQuoted(text: string, from: number): { value: string; end: number } | undefined {
  let value = "";
  for (let at = from + 1; at < text.length; at += 1) {
    let char = text.charAt(at);
    if (char === '"') return { value, end: at + 1 };
    if (char === "\\") char = text.charAt((at += 1));
    // qtextSMTP and quoted-pairSMTP: printable only, so neither CR nor NUL ever passes
    if (char < " " || (char > "~" && char < "\u00a0")) return undefined;
    value += char;
  }
  return undefined;
}

/** One mailbox and nothing else, or undefined: for options and command lines. */
export function parseAddress(text: string): Address | undefined {
  const read = readMailbox(text, 0);
  return read !== undefined && read.end === text.length ? read.address : undefined;
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
