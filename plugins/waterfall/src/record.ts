import type { Edit, HookName } from "@mailhost/core";

/** The form of the records; another number means another form. */
export const waterfallVersion = 1;

/** What the plugins did to one session, as plain data. Times are milliseconds with three decimals. */
export interface Waterfall {
  readonly v: typeof waterfallVersion;
  /** Id of the session, as in every log line of it. */
  readonly session: string;
  /** Queue ids of the transactions the rows are about. */
  readonly transactions: readonly string[];
  readonly listener: string;
  /** Address of the client. */
  readonly client: string;
  /** Who AUTH proved the client to be, when it was over. */
  readonly identity?: string;
  /** ISO 8601, UTC: the connection was there. `start` of the rows counts from it. */
  readonly startedAt: string;
  /** From then to now. */
  readonly milliseconds: number;
  /** 1 unless each message is told by itself. */
  readonly part: number;
  /** Why the session ended: `quit`, a reply code, `disconnected`. Absent while it goes on. */
  readonly end?: string;
  /** In the order in which they ended. */
  readonly rows: readonly Row[];
  /** Rows that were too many to keep. */
  readonly dropped: number;
}

/** One thing that took time, or was decided. */
export type Row = TapRow | BodyRow | RouteRow | DeliveredRow;

interface Common {
  /** Milliseconds from the session's start to the beginning of this. */
  readonly start: number;
  readonly milliseconds: number;
  /** Queue id. */
  readonly transaction?: string;
}

/** `ignored`: it failed, and `onFailure` says that the session goes on. `late`: it settled when nobody waited any more. */
export type Verdict = "silent" | "refused" | "failed" | "ignored" | "late";

/** A tap of a plugin ran; or, with `tap` `commit` in the hook `queue`, what its transport staged became visible. */
export interface TapRow extends Common {
  readonly type: "tap";
  readonly hook: HookName;
  readonly plugin: string;
  readonly version: string;
  readonly tap: string;
  readonly verdict: Verdict;
  /** Lines of the reply, when it refused. */
  readonly reply?: readonly string[];
  /** When it failed. */
  readonly error?: string;
  /** Only what counted. */
  readonly edits: readonly Edit[];
  /** The same in words. */
  readonly words: readonly string[];
  /** In `rcpt`: the recipient that was judged. */
  readonly recipient?: string;
}

/** The client sent a body; `milliseconds` from its first octets to its last. */
export interface BodyRow extends Common {
  readonly type: "body";
  readonly transaction: string;
  /** As sent, dots and end included. */
  readonly octets: number;
}

/** A recipient was accepted, and goes this way. */
export interface RouteRow extends Common {
  readonly type: "route";
  readonly transaction: string;
  readonly recipient: string;
  readonly transport: string;
  readonly nexthop?: string;
}

/** A message came to its end; `milliseconds` since the last tap or commit. */
export interface DeliveredRow extends Common {
  readonly type: "delivered";
  readonly transaction: string;
  /** What the client was to be told. */
  readonly reply: readonly string[];
}

/** Whether something went wrong with a plugin, not with the mail. */
export const isFailure = (row: Row): boolean =>
  row.type === "tap" && (row.verdict === "failed" || row.verdict === "ignored" || row.verdict === "late");

/** What a transport staged became visible, or did not. */
export const isCommit = ({ hook, tap }: TapRow): boolean => hook === "queue" && tap === "commit";
