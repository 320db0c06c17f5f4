import { type Host, type Resolver, type Session, defineFact, errorCode } from "@mailhost/core";
import { groupsOf } from "./triplet.ts";

const listed = defineFact<boolean>("mailhost-plugin-greylist/listed");

/** Whether the list named the client of this session, as far as it was asked. */
export const isListed = (session: Session): boolean => listed.of(session) === true;

/** Asks at EHLO: once for most clients, and again behind STARTTLS, where a new session has begun. */
export function askList({ hooks, resolver }: Host, zone: string): void {
  const tap = { name: "dns list", deadline: 5000, onFailure: "ignore" } as const;
  hooks.ehlo.tapPromise(tap, async (_greeting, session) => {
    listed.set(session, await isNamed(resolver, zone, session.client.address));
  });
}

/** RFC 5782 §2.1, §2.4. Rejects when DNS does not say. */
async function isNamed(resolver: Resolver, zone: string, address: string): Promise<boolean> {
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
