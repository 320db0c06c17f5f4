import { type Networks, canonicalDomain, canonicalLiteral, parseAddress } from "@mailhost/core";
import type { DroppedSeen, Seen } from "./seen.ts";

/** Which sessions are shown: all that are given must hold. */
export interface Criteria {
  readonly client?: Networks | undefined;
  readonly identity?: ReadonlySet<string> | undefined;
  readonly address?: ((path: string) => boolean) | undefined;
}

/** Room for what sessions said before it was known whether they are wanted. */
export class Room {
  readonly most: { readonly session: number; readonly all: number };
  held = 0;

  constructor(most = { session: 256 * 1024, all: 16 * 1024 * 1024 }) {
    this.most = most;
  }
}

/**
 * Lets through what was seen of a session once all criteria hold, from its beginning on. Until then it is held;
 * when the room is full the oldest go (but the first, which says who the client is), and are counted.
 */
export class Gate {
  readonly #criteria: Criteria;
  readonly #room: Room;
  #open: boolean;
  #closed = false;
  #addressSeen: boolean;
  #identitySeen: boolean;
  #clientSeen: boolean;
  #held: Seen[] = [];
  #octets = 0;
  #dropped = 0;

  constructor(criteria: Criteria, room: Room) {
    this.#criteria = criteria;
    this.#room = room;
    this.#clientSeen = criteria.client === undefined;
    this.#identitySeen = criteria.identity === undefined;
    this.#addressSeen = criteria.address === undefined;
    this.#open = this.#clientSeen && this.#identitySeen && this.#addressSeen;
  }

  /** Nothing is held back any more. */
  get open(): boolean {
    return this.#open;
  }

  /** What may be shown now. */
  admit(seen: Exclude<Seen, DroppedSeen>): readonly Seen[] {
    if (this.#open) return [seen];
    if (this.#closed) return [];
    const { session } = seen;
    const { client, identity, address } = this.#criteria;
    this.#clientSeen ||= client?.has(session.client.address) === true;
    this.#identitySeen ||= session.identity !== undefined && identity?.has(session.identity.name) === true;
    this.#addressSeen ||= address !== undefined && seen.type === "client" && saysAddress(seen.line, address);
    this.#open = this.#clientSeen && this.#identitySeen && this.#addressSeen;
    this.#hold(seen);
    return this.#open ? this.#release() : [];
  }

  /** The session is over: what was not wanted by now is forgotten. */
  close(): void {
    this.#closed = true;
    this.#release();
  }

  #hold(seen: Seen): void {
    const octets = sizeOf(seen);
    this.#held.push(seen);
    this.#octets += octets;
    this.#room.held += octets;
    while (this.#octets > this.#room.most.session || this.#room.held > this.#room.most.all) {
      const [oldest] = this.#held.splice(1, 1);
      if (oldest === undefined) return;
      this.#dropped += 1;
      this.#octets -= sizeOf(oldest);
      this.#room.held -= sizeOf(oldest);
    }
  }

  #release(): readonly Seen[] {
    const [first, ...others] = this.#held;
    this.#room.held -= this.#octets;
    this.#octets = 0;
    this.#held = [];
    if (first === undefined || this.#dropped === 0) return first === undefined ? [] : [first, ...others];
    const { at, session } = first;
    return [first, { type: "dropped", at, session, records: this.#dropped }, ...others];
  }
}

/** About what it takes in memory. */
const sizeOf = (seen: Seen): number =>
  300 +
  (seen.type === "piece" ? seen.shown.length : "line" in seen ? seen.line.length : 0) +
  (seen.type === "tap" ? 100 * seen.edits.length : 0);

const path = /^\s*(?:mail\s+from|rcpt\s+to)\s*:\s*(?:<((?:"(?:\\.|[^"\\])*"|[^>"])*)>|(\S*))/i;

function saysAddress(line: string, wanted: (path: string) => boolean): boolean {
  const matched = path.exec(line);
  if (matched === null) return false;
  return wanted((matched[1] ?? matched[2] ?? "").replace(/^@[^:]*:/, "").trim()); // source route, RFC 5321 §C
}

/** Why this is no address to filter by, or undefined when it is one. */
export const addressProblem = (entry: string): string | undefined =>
  readEntry(entry) === undefined
    ? `${JSON.stringify(entry)} is no address like jane@example.com, *@example.com or <>`
    : undefined;

/** Compares paths with entries: domains by their canonical form, local parts without case. */
export function addressTest(entries: readonly string[]): (path: string) => boolean {
  const wanted = new Set(entries.map(readEntry));
  return (said) => {
    if (said === "") return wanted.has("<>");
    const address = parseAddress(said);
    if (address === undefined) return wanted.has(said.toLowerCase());
    return wanted.has(`${address.localPart.toLowerCase()}@${address.domain}`) || wanted.has(`*@${address.domain}`);
  };
}

function readEntry(entry: string): string | undefined {
  if (entry === "<>") return entry;
  if (entry.toLowerCase() === "postmaster") return "postmaster"; // RFC 5321 §4.5.1
  if (entry.startsWith("*@")) {
    const domain = entry.slice(2);
    const canonical = domain.startsWith("[") ? canonicalLiteral(domain) : canonicalDomain(domain);
    return canonical === undefined ? undefined : `*@${canonical}`;
  }
  const address = parseAddress(entry);
  return address === undefined ? undefined : `${address.localPart.toLowerCase()}@${address.domain}`;
}
