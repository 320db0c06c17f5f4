import { asciiLower, isAscii } from "./octets.ts";

const label = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
const labels = new RegExp(`^${label}(?:\\.${label})*$`);
// oxlint-disable-next-line no-control-regex -- control octets are among the forbidden
const forbiddenInUnicode = /[\u0000-\u002c\u002f\u003a-\u0040\u005b-\u005e\u0060\u007b-\u00a0]/;

/** RFC 5321 §4.5.3.1.2. */
const mostOctets = 255;

/**
 * The one canonical form of a domain, used by core and by every plugin: lower-case A-labels, no trailing dot.
 * Undefined for what is no domain name. The grammar is judged before any conversion, because
 * URL-style conversion reads `0x7f.1` as an IPv4 address and `a%2eb` as `a.b`.
 * RFC 5321 §4.1.2 (underscores are let through: real hosts have them), RFC 5891.
 */
export function canonicalDomain(text: string): string | undefined {
  if (text.length > mostOctets) return undefined; // before the conversion, which is not linear
  if (labels.test(text)) return text;
  if (isAscii(text)) return checkedLabels(asciiLower(text));
  if (forbiddenInUnicode.test(text)) return undefined;
  let converted: string;
  try {
    converted = new URL(`http://${text}`).hostname;
  } catch {
    return undefined;
  }
  // A numeric result means that the converter saw an address where the client wrote a name.
  if (/^[\d.]+$/.test(converted) || converted.includes("[")) return undefined;
  return checkedLabels(converted);
}

function checkedLabels(name: string): string | undefined {
  return name.length <= mostOctets && labels.test(name) ? name : undefined;
}

const ipv4Part = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const ipv4 = new RegExp(`^${ipv4Part}(?:\\.${ipv4Part}){3}$`);

/**
 * The canonical form of an address literal with its brackets, or undefined.
 * RFC 5321 §4.1.3: `[192.0.2.1]`, `[IPv6:2001:db8::1]`. General literals are not accepted.
 */
export function canonicalLiteral(text: string): string | undefined {
  if (!text.startsWith("[") || !text.endsWith("]")) return undefined;
  const inner = text.slice(1, -1);
  if (ipv4.test(inner)) return `[${inner}]`;
  const matched = /^ipv6:([0-9a-f:.]{2,45})$/i.exec(inner);
  if (matched?.[1] === undefined) return undefined;
  try {
    return `[IPv6:${new URL(`http://[${matched[1]}]`).hostname.slice(1, -1)}]`;
  } catch {
    return undefined;
  }
}
