import { type Session, makeNetworks } from "@mailhost/core";
import { type Row, type Waterfall, isFailure } from "./record.ts";

/** Which sessions are told of. */
export interface Only {
  /** Addresses or networks (CIDR) of clients. */
  readonly client?: string | readonly string[] | undefined;
  /** Who AUTH proved the client to be. */
  readonly identity?: string | readonly string[] | undefined;
  /** Milliseconds: a tap, or a commit, took longer. */
  readonly slowerThan?: number | undefined;
  /** `true`: a tap failed, or was late. */
  readonly failed?: boolean | undefined;
  /** `true`: a tap refused. */
  readonly refused?: boolean | undefined;
}

/** Known while the session goes on: whether it is looked at. */
export function wantedClient({ client }: Only): ((session: Session) => boolean) | undefined {
  if (client === undefined) return undefined;
  const networks = makeNetworks(listOf(client));
  return (session) => networks.has(session.client.address);
}

/** Known at its end: the identity is one of those, and something of what is looked for happened. */
export function wantedWaterfall(only: Only): (waterfall: Waterfall) => boolean {
  const identities = only.identity === undefined ? undefined : new Set(listOf(only.identity));
  const happenings = happeningsOf(only);
  return ({ identity, rows }) => {
    if (identities !== undefined && (identity === undefined || !identities.has(identity))) return false;
    return happenings.length === 0 || rows.some((row) => happenings.some((happened) => happened(row)));
  };
}

function happeningsOf({ slowerThan, failed, refused }: Only): ((row: Row) => boolean)[] {
  const happenings: ((row: Row) => boolean)[] = [];
  if (slowerThan !== undefined) happenings.push((row) => row.type !== "body" && row.milliseconds > slowerThan);
  if (failed === true) happenings.push(isFailure);
  if (refused === true) happenings.push((row) => row.type === "tap" && row.verdict === "refused");
  return happenings;
}

const listOf = (given: string | readonly string[]): readonly string[] => (typeof given === "string" ? [given] : given);
