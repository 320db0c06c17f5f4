import { type Address, formatAddress } from "@mailhost/core";
import { createHash } from "node:crypto";

/**
 * Who writes to whom, as greylisting tells senders apart: network, reverse-path, recipient (RFC 6647 §2.4).
 * A hash, so that each takes the same room whatever the client sends, and the file holds nobody's address.
 */
export function triplet(client: string, reversePath: Address | null, recipient: Address): string {
  const sender = reversePath === null ? "" : formatAddress(reversePath);
  const text = [networkOf(client), sender, formatAddress(recipient)].join("\n");
  return createHash("sha256").update(text).digest("base64url");
}

/** A retry may come from a neighbour: /24, and /64 for IPv6. */
export const networkOf = (client: string): string =>
  client.includes(":") ? groupsOf(client).slice(0, 4).join(":") : client.split(".").slice(0, 3).join(".");

/** The eight groups of an IPv6 address, four digits each. */
export function groupsOf(address: string): string[] {
  const [head = "", tail] = address.split("::");
  const before = head.split(":").filter((group) => group !== "");
  const after = (tail ?? "").split(":").filter((group) => group !== "");
  const missing = tail === undefined ? 0 : 8 - before.length - after.length;
  const between = Array.from({ length: Math.max(0, missing) }, () => "0");
  return [...before, ...between, ...after].map((group) => group.padStart(4, "0"));
}
