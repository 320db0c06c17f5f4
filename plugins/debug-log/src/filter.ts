import { type Networks, type Session, canonicalDomain, canonicalLiteral, parseAddress } from "@mailhost/core";
import { type DumpRecord, makeRecord } from "./records.ts";

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
 * Lets a session's records through once all criteria hold, from its first record on. Until then they are held;
 * when the room is full the oldest go (but the first, which says who the client is), and a record counts them.
 */
export class Gate {
  readonly #criteria: Criteria;
  readonly #room: Room;
  #open: boolean;
  #closed = false;
  #addressSeen: boolean;
  #identitySeen: boolean;
  #clientSeen: boolean;
  #held: DumpRecord[] = [];
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

  /** What may be shown now. */
  admit(record: DumpRecord, session: Session): readonly DumpRecord[] {
    if (this.#open) return [record];
    if (this.#closed) return [];
    const { client, identity, address } = this.#criteria;
    this.#clientSeen ||= client?.has(session.client.address) === true;
    this.#identitySeen ||= session.identity !== undefined && identity?.has(session.identity.name) === true;
    this.#addressSeen ||= address !== undefined && record.type === "client" && saysAddress(record.line, address);
    this.#open = this.#clientSeen && this.#identitySeen && this.#addressSeen;
    this.#hold(record);
    return this.#open ? this.#release() : [];
  }

  /** The session is over: what was not wanted by now is forgotten. */
  close(): void {
    this.#closed = true;
    this.#release();
  }

  #hold(record: DumpRecord): void {
    const octets = sizeOf(record);
    this.#held.push(record);
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

  #release(): readonly DumpRecord[] {
    const [first, ...others] = this.#held;
    this.#room.held -= this.#octets;
    this.#octets = 0;
    this.#held = [];
    if (first === undefined || this.#dropped === 0) return first === undefined ? [] : [first, ...others];
    const { at, session } = first;
    return [first, makeRecord(Date.parse(at), session, { type: "dropped", records: this.#dropped }), ...others];
  }
}

/** About what a record takes in memory. */
const sizeOf = (record: DumpRecord): number =>
  300 +
  (record.type === "body" ? (record.base64?.length ?? 0) : "line" in record ? record.line.length : 0) +
  (record.type === "tap" ? record.edits.join("").length : 0);

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
