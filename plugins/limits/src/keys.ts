import { createHash } from "node:crypto";
import { SocketAddress, isIP } from "node:net";

/** Lengths of the prefixes that make a network. */
export interface Prefixes {
  readonly ipv4: number;
  readonly ipv6: number;
}

/** What a client is counted by. */
export interface Keys {
  readonly address?: string | undefined;
  readonly network?: string | undefined;
  readonly identity?: string | undefined;
}

/** Sixteen bits each: two of an IPv4 address, eight of an IPv6 one. One spelling whatever the client's was. */
function groupsOf(address: string): readonly number[] | undefined {
  const [bare = ""] = address.split("%"); // a zone names an interface of ours
  const family = isIP(bare);
  if (family === 0) return undefined;
  if (family === 4) return pairs(bare);
  const { address: written } = new SocketAddress({ address: bare, family: "ipv6" });
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(written);
  const [, before = written, ipv4] = tail ?? [];
  const [front = "", back] = (ipv4 === undefined ? written : `${before}0:0`).split("::");
  const [head, rest] = [hex(front), hex(back ?? "")];
  const gap = back === undefined ? [] : Array.from({ length: 8 - head.length - rest.length }, () => 0);
  const groups = [...head, ...gap, ...rest];
  if (ipv4 !== undefined) groups.splice(6, 2, ...pairs(ipv4));
  // RFC 4291 §2.5.5.2: an IPv4 client, as a socket for both families sees it
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  return mapped ? groups.slice(6) : groups;
}

const hex = (text: string): number[] => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)));

function pairs(ipv4: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split(".").map(Number);
  return [a * 256 + b, c * 256 + d];
}

/** The first bits of an address, the others zero. */
const cut = (groups: readonly number[], prefix: number): string =>
  groups
    .map((group, index) => {
      const bits = Math.min(Math.max(prefix - index * 16, 0), 16);
      return (group & (0xffff << (16 - bits)) & 0xffff).toString(16);
    })
    .join(":");

/** Address and network of a client, each in one spelling. What is no IP address is nobody's network. */
export function addressKeys(address: string, { ipv4, ipv6 }: Prefixes): { address: string; network: string } {
  const groups = groupsOf(address);
  if (groups === undefined) return { address: safe(address), network: safe(address) };
  const prefix = groups.length === 2 ? ipv4 : ipv6;
  return { address: cut(groups, 128), network: `${cut(groups, prefix)}/${prefix}` };
}

/** Whoever has an IPv6 address has the whole network of it. */
export const isIpv6 = (addressKey: string): boolean => addressKey.split(":").length === 8;

/** A name however it is spelt: letters fold, since a user base may fold them too, and would be guessed at in each way. */
export const identityKey = (name: string): string => safe(name.normalize("NFKC").toLowerCase());

/** Short, and of characters that no store minds; what is neither is hashed. */
const safe = (text: string): string =>
  /^[a-z0-9@._+-]{1,64}$/.test(text) ? text : `#${createHash("sha256").update(text).digest("base64url")}`;
