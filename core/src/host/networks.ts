import { BlockList, isIP } from "node:net";

/** A set of addresses and networks in CIDR notation. */
export interface Networks {
  readonly entries: readonly string[];
  has(address: string): boolean;
}

/** Why this is no address or network, or undefined when it is one. */
export function networkProblem(entry: string): string | undefined {
  const [address = "", prefix, ...more] = entry.split("/");
  const family = isIP(address);
  // A zone (`fe80::1%eth0`) names an interface, not a network
  if (family === 0 || more.length > 0 || address.includes("%"))
    return `${JSON.stringify(entry)} is no IP address and no network like 192.0.2.0/24`;
  const most = family === 4 ? 32 : 128;
  if (prefix !== undefined && (!/^\d{1,3}$/.test(prefix) || Number(prefix) > most))
    return `the prefix of ${entry} is not within 0 and ${most}`;
  return undefined;
}

/** The network holds so much of the internet that it names nobody: /0 to /7 (IPv6: /0 to /15, and `::ffff:0:0/96`). */
export function isEverybody(entry: string): boolean {
  const [address = "", written] = entry.split("/");
  if (written === undefined) return false;
  const prefix = Number(written);
  if (isIP(address) === 4) return prefix < 8;
  return prefix < 16 || (prefix < 96 + 8 && holdsMapped(address, Math.min(prefix, 96)));
}

/** An IPv6 network that holds the IPv4-mapped addresses holds every IPv4 client. */
function holdsMapped(address: string, prefix: number): boolean {
  const list = new BlockList();
  list.addSubnet(address, prefix, "ipv6");
  return list.check("0.0.0.0", "ipv4");
}

/** Throws a RangeError on an entry that `networkProblem` names. */
export function makeNetworks(entries: readonly string[]): Networks {
  const list = new BlockList();
  for (const entry of entries) {
    const problem = networkProblem(entry);
    if (problem !== undefined) throw new RangeError(problem);
    const [address = "", prefix] = entry.split("/");
    const family = isIP(address) === 4 ? "ipv4" : "ipv6";
    list.addSubnet(address, prefix === undefined ? (family === "ipv4" ? 32 : 128) : Number(prefix), family);
  }
  return {
    entries,
    has: (address) => {
      if (entries.length === 0) return false;
      const family = isIP(address);
      return family !== 0 && list.check(address, family === 4 ? "ipv4" : "ipv6");
    },
  };
}
