import type { Client, HookName, LineFault, TapOutcome } from "@mailhost/core";

/** The form of the records; another number means another form. */
export const recordVersion = 1;

/** What every record of a session holds. */
interface Common {
  readonly v: typeof recordVersion;
  /** ISO 8601, UTC, milliseconds. */
  readonly at: string;
  /** Id of the session: the same for every record of one connection. */
  readonly session: string;
}

/** A client connected. */
export interface OpenRecord extends Common {
  readonly type: "open";
  readonly listener: string;
  readonly server: string;
  readonly mode: string;
  readonly client: Client;
  readonly local: Client;
}

/** A line of the client without its CRLF; trailing blanks are kept. */
export interface ClientRecord extends Common {
  readonly type: "client";
  readonly line: string;
  /** Behind what `line` shows, up to `***`, stood credentials. */
  readonly secret?: true;
  /** Why it was no line of SMTP; then `line` is empty, or `***` when it answered a 334. */
  readonly fault?: LineFault;
}

/** A line of the server without its CRLF. */
export interface ServerRecord extends Common {
  readonly type: "server";
  readonly line: string;
}

/** A piece of a body as the client sent it: dots stuffed, CRLF and the final dot included. */
export interface BodyRecord extends Common {
  readonly type: "body";
  readonly transaction: string;
  /** How many there were. */
  readonly octets: number;
  /** The first of them, so far as `body` lets them be seen. With `body: "all"` these are all. */
  readonly base64?: string;
}

/** TLS has begun. Before the first server line: on a listener with TLS from the first octet. */
export interface SecuredRecord extends Common {
  readonly type: "secured";
  readonly protocol: string;
  readonly cipher: string;
}

/** A trusted intermediary named the client (XCLIENT, PROXY). */
export interface AssumedRecord extends Common {
  readonly type: "assumed";
  readonly client: Client;
}

/** A plugin's tap ran. */
export interface TapRecord extends Common {
  readonly type: "tap";
  readonly hook: HookName;
  readonly plugin: string;
  readonly version: string;
  readonly tap: string;
  readonly milliseconds: number;
  readonly outcome: TapOutcome;
  readonly edits: readonly string[];
  readonly transaction?: string;
}

/** A recipient was accepted, and goes this way. */
export interface RouteRecord extends Common {
  readonly type: "route";
  readonly transaction: string;
  readonly recipient: string;
  readonly transport: string;
  readonly nexthop?: string;
}

/** A message came to its end; `reply` is what the client was to be told. */
export interface DeliveredRecord extends Common {
  readonly type: "delivered";
  readonly transaction: string;
  readonly reply: readonly string[];
}

export interface CloseRecord extends Common {
  readonly type: "close";
  readonly reason: string;
}

/** Records are missing here: of one session, or of any when `session` is empty. */
export interface DroppedRecord extends Common {
  readonly type: "dropped";
  readonly records: number;
}

/** One line of the NDJSON. */
export type DumpRecord =
  | OpenRecord
  | ClientRecord
  | ServerRecord
  | BodyRecord
  | SecuredRecord
  | AssumedRecord
  | TapRecord
  | RouteRecord
  | DeliveredRecord
  | CloseRecord
  | DroppedRecord;

type Facts<R> = R extends DumpRecord ? Omit<R, keyof Common> : never;

/** A record before version, session and time are filled in. */
export type RecordFacts = Facts<DumpRecord>;

export const makeRecord = (at: number, session: string, facts: RecordFacts): DumpRecord => ({
  v: recordVersion,
  at: new Date(at).toISOString(),
  session,
  ...facts,
});

/** JSON leaves these as they are, and a terminal obeys some of them: DEL, C1 controls, format characters. */
const unsafe = /[\u007f-\u009f\u2028\u2029]|\p{Cf}/gu;

const escapeUnits = (text: string): string =>
  text.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** A record as one line of NDJSON. */
export const formatRecord = (record: DumpRecord): string => `${JSON.stringify(record).replace(unsafe, escapeUnits)}\n`;
