import { canonicalDomain, canonicalLiteral } from "./domain.ts";
import { isAscii } from "./octets.ts";

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

/** RFC 5321 §4.5.3.1 asks for 64, 255 and 256 at least; VERP senders write longer local parts. */
const most = { localPart: 256, domain: 255 };

/** Where the mailbox that starts at `from` ends, and what it is. Undefined when there is none. */
export function readMailbox(text: string, from: number): { address: Address; end: number } | undefined {
  const local = text[from] === '"' ? readQuoted(text, from) : readDotString(text, from);
  if (local === undefined || text[local.end] !== "@") return undefined;
  if (local.value.length > most.localPart) return undefined;
  const start = local.end + 1;
  let end = start;
  if (text[start] === "[") {
    const close = text.indexOf("]", start);
    if (close < 0) return undefined;
    end = close + 1;
  } else {
    while (end < text.length && !endsDomain(text, end)) end += 1;
  }
  const written = text.slice(start, end);
  const domain = written.startsWith("[") ? canonicalLiteral(written) : canonicalDomain(written);
  if (domain === undefined || domain.length > most.domain) return undefined;
  return { address: Object.freeze({ localPart: local.value, domain, text: text.slice(from, end) }), end };
}

const [tab, cr, sp, comma, colon, lt, gt, atSign] = [0x09, 0x0d, 0x20, 0x2c, 0x3a, 0x3c, 0x3e, 0x40];

function endsDomain(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  if (code > 0x7f) return /\s/.test(text.charAt(index));
  return (
    code === gt ||
    code === atSign ||
    code === sp ||
    (code >= tab && code <= cr) ||
    code === lt ||
    code === comma ||
    code === colon
  );
}

/** Blanks beyond ASCII are atext like any other character (RFC 6531 §3.3). */
function endsDotString(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code === atSign || code === gt || code === sp || code === tab || code === lt;
}

function readDotString(text: string, from: number): { value: string; end: number } | undefined {
  let end = from;
  while (end < text.length && !endsDotString(text, end)) end += 1;
  const value = text.slice(from, end);
  return dotString.test(value) ? { value, end } : undefined;
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
