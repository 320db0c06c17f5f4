import type { Reply } from "../protocol/reply.ts";
import type { Session } from "../protocol/session.ts";
import type { Edit } from "./edit.ts";

/** The six hooks. */
export type HookName = "connect" | "ehlo" | "auth" | "rcpt" | "data" | "queue";

/** What a tap came to. */
export type TapOutcome =
  | { readonly kind: "silent" }
  | { readonly kind: "refused"; readonly reply: Reply }
  | { readonly kind: "failed"; readonly error: string; readonly ignored: boolean }
  | { readonly kind: "late" };

/** What was wrong with a line that is no line of SMTP. Its octets are not shown. */
export type LineFault = "tooLong" | "badLineEnd" | "badOctets" | "otherProtocol";

/** What happened, for watchers. Read-only: nothing a watcher does changes the dialogue. Times are host-clock milliseconds since the epoch. */
export type TraceEvent = { readonly at: number; readonly session: Session } & (
  | { readonly type: "open" }
  /** `delivering`: a message outlives the connection; its `delivered` is still to come. */
  | { readonly type: "close"; readonly reason: string; readonly delivering: boolean }
  /** `fault` says why the line was none; then nothing of it is shown. */
  | { readonly type: "client"; readonly line: string; readonly secret: boolean; readonly fault?: LineFault | undefined }
  | { readonly type: "server"; readonly line: string; readonly secret: boolean }
  /** Octets of a body as the client sent them, dots and end included. `header` while they belong to the header section. */
  | {
      readonly type: "body";
      /** How many there were. */
      readonly count: number;
      /** A copy of them; empty when no watcher wants bodies. */
      readonly octets: Uint8Array;
      readonly header: boolean;
      readonly transaction: string;
    }
  | { readonly type: "secured"; readonly protocol: string; readonly cipher: string }
  /** A tap has settled. The commit of what a transport staged is told the same way: hook `queue`, tap `commit`. */
  | {
      readonly type: "tap";
      readonly hook: HookName;
      readonly plugin: string;
      readonly version: string;
      readonly tap: string;
      readonly milliseconds: number;
      readonly outcome: TapOutcome;
      /** What the tap did to its argument, as far as it counts. */
      readonly edits: readonly Edit[];
      readonly transaction: string | undefined;
      /** In `rcpt`: the address that was judged. */
      readonly recipient: string | undefined;
    }
  | {
      readonly type: "route";
      readonly recipient: string;
      readonly transport: string;
      readonly nexthop: string | undefined;
      readonly transaction: string;
    }
  | { readonly type: "delivered"; readonly transaction: string; readonly reply: Reply }
);

/** Who watches, and what need not be made for it. */
export interface WatchOptions {
  /** For logs. */
  readonly name: string;
  /** False for a watcher that only counts the octets of bodies: they are copied for those who look at them. */
  readonly bodies?: boolean;
}
