import { domainToASCII } from "node:url";
import type { Address } from "@mailhost/core";
import { type PathRead, readForwardPath, readReversePath } from "../../src/protocol/path.ts";
import { type OraclePath, readings } from "./path-oracle.ts";

/** A domain as addresses are compared: the same form, made another way. */
function comparable(domain: string): string {
  if (!domain.startsWith("[")) return domainToASCII(domain) || domain.toLowerCase();
  const ipv6 = /^\[ipv6:(.*)\]$/i.exec(domain)?.[1];
  return ipv6 === undefined ? domain : `[IPv6:${canonicalIpv6(ipv6)}]`;
}

/** RFC 5952 §4, but that no IPv4 part is written: eight numbers, and the first of the longest runs of zeros left out. */
function canonicalIpv6(text: string): string {
  const hex = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...four: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = four.map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  const [left = [], right] = hex.split("::").map((side) => (side === "" ? [] : side.split(":")));
  const zeros = right === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => "0");
  const numbers = [...left, ...zeros, ...(right ?? [])].map((group) => Number.parseInt(group, 16).toString(16));
  for (let length = 8; length > 1; length -= 1)
    for (let at = 0; at + length <= 8; at += 1)
      if (numbers.slice(at, at + length).every((number) => number === "0"))
        return `${numbers.slice(0, at).join(":")}::${numbers.slice(at + length).join(":")}`;
  return numbers.join(":");
}

const told = (path: OraclePath | null | undefined): string =>
  path === null || path === undefined
    ? String(path)
    : JSON.stringify([path.localPart, path.domain === "" ? "" : comparable(path.domain), path.text, path.end]);

/** What the parser read, in the words of the oracle. */
const asRead = (read: PathRead<Address | null> | undefined): OraclePath | null | undefined =>
  read === undefined ? undefined : read.path === null ? null : { ...read.path, end: read.end };

/** How the parser and the oracle differ, or undefined. */
export function difference(text: string): string | undefined {
  for (const kind of ["reverse", "forward"] as const) {
    const read = kind === "reverse" ? readReversePath(text) : readForwardPath(text);
    const got = asRead(read);
    const wanted = [...new Set(readings(text, kind).map(told))];
    if (wanted.length > 1) return `${kind} ${JSON.stringify(text)} has more than one meaning: ${wanted.join(" or ")}`;
    if (told(got) !== (wanted[0] ?? "undefined"))
      return `${kind} ${JSON.stringify(text)} is read as ${told(got)}, and by the grammar ${wanted[0] ?? "undefined"}`;
  }
  return undefined;
}
