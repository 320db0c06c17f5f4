import { type Address, type Delivery, formatAddress, parseAddress } from "@mailhost/core";
import { lowerCase } from "./folder-name.ts";
import { locate } from "./mailbox.ts";
import { type Place, placePath } from "./place.ts";
import type { Settings } from "./settings.ts";

/** One copy to be made. */
export interface Target {
  readonly address: Address;
  readonly place: Place;
}

/** One per recipient, and one for a recipient that was named twice. Undefined when a nexthop is no address. */
export function targetsOf(settings: Settings, { recipients }: Delivery): Target[] | undefined {
  const targets: Target[] = [];
  for (const { address, route } of recipients) {
    const owner = route.nexthop === undefined ? address : parseAddress(route.nexthop);
    if (owner === undefined) return undefined;
    targets.push({ address, place: locate(settings, owner) });
  }
  return targets.length > 1 ? withoutDoubles(settings, targets) : targets;
}

function withoutDoubles({ caseSensitive }: Settings, targets: readonly Target[]): Target[] {
  const once = new Map<string, Target>();
  for (const target of targets) {
    const recipient = formatAddress(target.address);
    const key = `${placePath("/", target.place)} ${caseSensitive ? recipient : lowerCase(recipient)}`;
    if (!once.has(key)) once.set(key, target);
  }
  return [...once.values()];
}

/** The lines above the message in the copy for that address, with CRLF. */
export function topOf({ reversePath }: Delivery, address: Address): string {
  // `<postmaster>` was written without the domain it has here
  const recipient = address.text.includes("@") ? address.text : formatAddress(address);
  // RFC 5321 §4.4: case and quoting of the sender stay
  return line("Return-Path", `<${reversePath?.text ?? ""}>`) + line("Delivered-To", recipient);
}

/** The one writer of fields here: nothing that could begin a second field passes. */
function line(name: string, value: string): string {
  // oxlint-disable-next-line no-control-regex -- control octets are what must not pass
  if (/[\x00-\x1f\x7f]/.test(value)) throw new TypeError(`the value of ${name} holds a control octet`);
  return `${name}: ${value}\r\n`;
}
