import { randomBytes, randomFillSync } from "node:crypto";
import type { Client, Greeting, Identity, ListenerMode, Session, TlsInfo } from "../protocol/session.ts";
import type { ListenerInfo } from "../host/plugin.ts";
import type { AssumedClient } from "../protocol/machine.ts";

/** What the wire tells of the connection when it is there. */
export interface Peer {
  readonly client: Client;
  readonly local: Client;
}

/** Where a session comes from, and whether it is only played. */
interface Origin extends Peer {
  readonly dryRun: boolean;
}

/** What comes to be known of a session. */
interface Known {
  readonly greeting?: Greeting | undefined;
  readonly identity?: Identity;
  readonly spokeEarly?: true;
}

/** Writes in a session. Plugins hold the session itself, so the pen is not one of its methods. */
export let note: (session: LiveSession, known: Known) => void;

/** The session as core holds it: what plugins read, in plain JavaScript too, and only core writes. */
export class LiveSession implements Session {
  readonly client: Client;
  readonly local: Client;
  readonly tls: TlsInfo | undefined;
  readonly startedAt: number;
  readonly dryRun: boolean;
  readonly #listener: ListenerInfo;
  /** Made when somebody asks: most sessions are in no log. */
  #id: string | undefined;
  #greeting: Greeting | undefined;
  #identity: Identity | undefined;
  #spokeEarly = false;

  static {
    Object.freeze(this.prototype);
    note = (session, known) => {
      if ("greeting" in known) session.#greeting = known.greeting;
      if (known.identity !== undefined) session.#identity = Object.freeze({ ...known.identity });
      if (known.spokeEarly !== undefined) session.#spokeEarly = known.spokeEarly;
    };
  }

  constructor(listener: ListenerInfo, origin: Origin, startedAt: number, tls?: TlsInfo, id?: string) {
    this.#listener = listener;
    this.#id = id;
    this.client = Object.freeze(origin.client);
    this.local = Object.freeze(origin.local);
    this.dryRun = origin.dryRun;
    this.startedAt = startedAt;
    this.tls = Object.freeze(tls);
    Object.freeze(this);
  }

  get id(): string {
    return (this.#id ??= newId(this.startedAt));
  }
  get greeting(): Greeting | undefined {
    return this.#greeting;
  }
  get identity(): Identity | undefined {
    return this.#identity;
  }
  get spokeEarly(): boolean {
    return this.#spokeEarly;
  }

  get serverName(): string {
    return this.#listener.serverName;
  }
  get mode(): ListenerMode {
    return this.#listener.mode;
  }
  get listener(): string {
    return this.#listener.name;
  }

  /** A new session on the secured connection: nothing that was said in clear remains (RFC 3207 §4.2). */
  secured(tls: TlsInfo | undefined): LiveSession {
    return new LiveSession(this.#listener, this, this.startedAt, tls, this.id);
  }

  /** A new session for the client that a trusted intermediary names. */
  assumed(named: AssumedClient): LiveSession {
    const { address = this.client.address, port = this.client.port, identity } = named;
    const session = new LiveSession(
      this.#listener,
      { client: { address, port }, local: this.local, dryRun: this.dryRun },
      this.startedAt,
      this.tls,
      this.id,
    );
    if (identity !== undefined) note(session, { identity });
    return session;
  }
}

// One system call for many ids
const randomPool = randomBytes(4000);
let randomUsed = 0;

/** Index of so many octets of the pool that nobody has had. */
function takeRandom(octets: number): number {
  if (randomUsed + octets > randomPool.length) {
    randomFillSync(randomPool);
    randomUsed = 0;
  }
  randomUsed += octets;
  return randomUsed - octets;
}

/** All numbers of ten bits, two digits of base 32 each. */
const digits = Array.from({ length: 1024 }, (_, value) => value.toString(32).padStart(2, "0").toUpperCase());

let timed = 0;
let time = "";

/** Unique within and across restarts: time in milliseconds in base 36, then 40 random bits. Sorts by time. */
export function newId(milliseconds: number): string {
  if (milliseconds !== timed) time = milliseconds.toString(36).toUpperCase();
  timed = milliseconds;
  const at = takeRandom(5);
  const low = randomPool.readUInt32LE(at);
  const last = ((low >>> 30) << 8) | (randomPool[at + 4] ?? 0);
  return `${time}${digits[low & 1023]}${digits[(low >>> 10) & 1023]}${digits[(low >>> 20) & 1023]}${digits[last]}`;
}
