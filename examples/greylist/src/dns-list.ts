import { type Resolver, errorCode } from "@mailhost/core";
import { groupsOf } from "./triplet.ts";

/** Whether a DNS list names the address (RFC 5782 §2.1, §2.4). Rejects when DNS does not say. */
export async function isListed(resolver: Resolver, zone: string, address: string): Promise<boolean> {
  try {
    const answers = await resolver.resolve4(`${reversed(address)}.${zone}`);
    // Anything else is a wildcard of somebody who bought the zone
    return answers.some((answer) => answer.startsWith("127."));
  } catch (error) {
    if (["ENOTFOUND", "ENODATA"].includes(errorCode(error) ?? "")) return false;
    throw error;
  }
}

const reversed = (address: string): string =>
  (address.includes(":") ? groupsOf(address).join("").split("") : address.split(".")).toReversed().join(".");
