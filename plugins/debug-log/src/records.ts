import { type Client, type HookName, type LineFault, type TapOutcome, describeEdit, replyLines } from "@mailhost/core";
import type { Seen } from "./seen.ts";
import { isoTime } from "./time.ts";

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

/** What was seen, as a record. */
export function recordOf(seen: Seen): DumpRecord {
  const common: Common = { v: recordVersion, at: isoTime(seen.at), session: seen.session.id };
  const { type } = seen;
  switch (type) {
    case "open": {
      const { listener, serverName, mode, client, local } = seen.session;
      return { ...common, type, listener, server: serverName, mode, client, local };
    }
    case "client": {
      const { line, secret, fault } = seen;
      return { ...common, type, line, ...(secret ? { secret } : {}), ...(fault === undefined ? {} : { fault }) };
    }
    case "server":
      return { ...common, type, line: seen.line };
    case "piece": {
      const { transaction, octets, shown } = seen;
      const base64 = shown.length === 0 ? {} : { base64: shown.toString("base64") };
      return { ...common, type: "body", transaction, octets, ...base64 };
    }
    case "secured":
      return { ...common, type, protocol: seen.protocol, cipher: seen.cipher };
    case "assumed":
      return { ...common, type, client: seen.session.client };
    case "tap":
      return tapRecord(common, seen);
    case "route": {
      const { transaction, recipient, transport, nexthop } = seen;
      return { ...common, type, transaction, recipient, transport, ...(nexthop === undefined ? {} : { nexthop }) };
    }
    case "delivered":
      return { ...common, type, transaction: seen.transaction, reply: replyLines(seen.reply) };
    case "close":
      return { ...common, type, reason: seen.reason };
    case "dropped":
      return { ...common, type, records: seen.records };
  }
}

function tapRecord(common: Common, seen: Extract<Seen, { type: "tap" }>): TapRecord {
  const { type, hook, plugin, version, tap, milliseconds, outcome, transaction } = seen;
  const edits = seen.edits.map(describeEdit);
  const facts = { ...common, type, hook, plugin, version, tap, milliseconds, outcome, edits };
  return transaction === undefined ? facts : { ...facts, transaction };
}

/** JSON leaves these as they are, and a terminal obeys some of them: DEL, C1 controls, format characters. */
const unsafe = /[\u007f-\u009f\u2028\u2029]|\p{Cf}/gu;

const escapeUnits = (text: string): string =>
  text.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** What was seen, as one line of NDJSON. */
export const recordLine = (seen: Seen): string => `${JSON.stringify(recordOf(seen)).replace(unsafe, escapeUnits)}\n`;
