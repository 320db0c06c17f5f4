import type { Finding } from "../contract/report.ts";
import type { TransportCheckName } from "./options.ts";
import type { Marked, Station } from "./station.ts";

/** One thing a transport is put through, on a folder of its own. */
export interface TransportCheck {
  readonly name: TransportCheckName;
  readonly mend: string;
  /** What the plugin fails at is meant here: core's log says nothing new. */
  readonly faultsAreMeant?: boolean;
  readonly run: (station: Station) => Promise<readonly Finding[]>;
}

export const durable =
  "Answer 250 for nothing that is not durable: write and sync in the queue tap, rename in commit, sync the folder.";

export const invisible =
  "Write where no reader looks (tmp/), make it visible in commit() alone, and remove it in abort() and before a refusal or an error leaves the tap.";

export const accepted = (reply: string, what: string, mend = durable): readonly Finding[] =>
  reply.startsWith("250") ? [] : [{ what: `${what} is answered: ${reply}`, mend }];

/** A reader must find the message, whole, once per recipient or once for all. */
export async function isThere(station: Station, message: Marked, what: string): Promise<readonly Finding[]> {
  const { copies, torn } = await station.found(message);
  if (copies === 0) return [{ what: `${what} was answered 250, and no reader finds it`, mend: durable }];
  const most = station.recipients.length;
  if (copies > most) return [{ what: `${what} is there ${copies} times for ${most} recipients`, mend: durable }];
  return torn === 0 ? [] : [{ what: `${what} is there, but not as it was sent: its end is another`, mend: durable }];
}

export async function isNotThere(station: Station, message: Marked, what: string): Promise<readonly Finding[]> {
  const { copies } = await station.found(message);
  return copies === 0 ? [] : [{ what: `${what} is visible`, mend: invisible }];
}

/** Nothing may be left of what was refused. */
export async function sameFiles(
  station: Station,
  before: readonly string[],
  what: string,
): Promise<readonly Finding[]> {
  const left = (await station.files()).filter((file) => !before.includes(file));
  return left.length === 0 ? [] : [{ what: `${what} left ${left.join(", ")}`, mend: invisible }];
}
