import { canonicalDomain, canonicalLiteral } from "./domain.ts";
import { isAscii, isBlankAt } from "./octets.ts";

/**
 * A mailbox, RFC 5321 §4.1.2. `localPart` is unquoted, `domain` is canonical (lower-case A-labels, or a literal
 * in brackets), `text` is the mailbox as the client wrote it, for fields that keep its case and quoting.
 */
export interface Address {
  readonly localPart: string;
  readonly domain: string;
  readonly text: string;
}

const dotString =
  /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u00a0-\u{10ffff}]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u00a0-\u{10ffff}]+)*$/u;

/** RFC 5321 §4.5.3.1.1 asks for 64 at least; VERP senders write longer local parts. */
const mostOfLocalPart = 256;

/** Where the mailbox that starts at `from` ends, and what it is. Undefined when there is none. */
export function readMailbox(text: string, from: number): { address: Address; end: number } | undefined {
  const local = text[from] === '"' ? readQuoted(text, from) : readDotString(text, from);
  if (local === undefined || text[local.end] !== "@") return undefined;
  if (local.value.length > mostOfLocalPart) return undefined;
  const start = local.end + 1;
  let end = start;
  while (end < text.length && !endsDomain(text, end)) end += 1;
  const written = text.slice(start, end);
  const domain = written.startsWith("[") ? canonicalLiteral(written) : canonicalDomain(written);
  if (domain === undefined) return undefined;
  return { address: Object.freeze({ localPart: local.value, domain, text: text.slice(from, end) }), end };
}

/** What a domain may hold is judged behind it; Unicode's blanks would be folded away there. */
function endsDomain(text: string, index: number): boolean {
  const char = text.charAt(index);
  return char === ">" || isBlankAt(text, index) || (char > "\u007f" && /\s/.test(char));
}

/** Blanks beyond ASCII are atext like any other character (RFC 6531 §3.3). */
function readDotString(text: string, from: number): { value: string; end: number } | undefined {
  const end = text.indexOf("@", from);
  const value = text.slice(from, end);
  return end >= 0 && dotString.test(value) ? { value, end } : undefined;
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

/** The address in its canonical spelling: the local part quoted only where it must be. */
export function formatAddress(address: Pick<Address, "localPart" | "domain">): string {
  const { localPart, domain } = address;
  const local = dotString.test(localPart) ? localPart : `"${localPart.replace(/["\\]/g, "\\$&")}"`;
  return domain === "" ? local : `${local}@${domain}`;
}

/** Whether writing this address on the wire takes SMTPUTF8 (RFC 6531 §3.3). */
export const needsSmtputf8 = (address: Address): boolean => !isAscii(address.text);
