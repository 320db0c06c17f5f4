import { type Reply, parseAddress } from "@mailhost/core";
import type { About, Effect, FaultPoint } from "./faults.ts";

/** As long as mox lets a client wait. */
const anHour = 60 * 60 * 1000;

/**
 * Faults that addresses name, as those of mox's `localserve` do: a local part that ends with `temperror`, `permerror`, `timeout` or
 * a code from 400 to 599 is refused at the end of the message; at MAIL when that of the sender begins with `mailfrom`, at RCPT when it begins
 * with `rcptto`. Beside mox's: `drop` closes the connection, `250ms` waits and goes on.
 */
export function localPartFault(at: FaultPoint, { to = [], from }: About): Effect | undefined {
  if (at === "MAIL")
    return from === undefined ? undefined : named(localPart(from), (local) => local.startsWith("mailfrom"));
  if (at !== "RCPT" && at !== "BODY") return undefined;
  for (const recipient of to) {
    const effect = named(localPart(recipient), (local) => local.startsWith("rcptto") === (at === "RCPT"));
    if (effect !== undefined) return effect;
  }
  return undefined;
}

const localPart = (address: string): string => parseAddress(address)?.localPart.toLowerCase() ?? "";

function named(local: string, isHere: (local: string) => boolean): Effect | undefined {
  if (!isHere(local)) return undefined;
  const wait = /(\d{1,7})ms$/.exec(local)?.[1];
  if (wait !== undefined) return { delay: Number(wait), drop: false };
  if (local.endsWith("drop")) return { delay: 0, drop: true };
  if (local.endsWith("timeout")) return { delay: anHour, drop: false, reply: reply(451) };
  const code = local.endsWith("temperror")
    ? 451
    : local.endsWith("permerror")
      ? 550
      : Number(/[45]\d\d$/.exec(local)?.[0] ?? 0);
  return code === 0 ? undefined : { delay: 0, drop: false, reply: reply(code) };
}

const reply = (code: number): Reply => ({
  code,
  status: code < 500 ? "4.0.0" : "5.0.0",
  text: `Failure with code ${code}, as the address says`,
});
