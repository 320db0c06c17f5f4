import { type Reply, type Status, makeReply, replyProblem } from "../protocol/reply.ts";
import { replies } from "../protocol/replies.ts";

// Symbol.for, so that a refusal made by a second copy of core is still one.
const brand: unique symbol = Symbol.for("mailhost.refusal") as never;

/** A no, made by `reject`, `defer`, `disconnect` or `rejectWith` and by nothing else. */
export interface Refusal {
  readonly [brand]: true;
  readonly reply: Reply;
  /** Hang up after the reply. */
  readonly close: boolean;
}

/** What a tap returns: a refusal or nothing. Every yes is a call on a handle. */
export type Opinion = Refusal | undefined | void;

/** 5yz codes a plugin may answer with (RFC 5321 §4.2.3, RFC 7504, RFC 7505). */
export type RejectCode =
  | 500
  | 501
  | 502
  | 503
  | 504
  | 521
  | 523
  | 530
  | 534
  | 535
  | 538
  | 550
  | 551
  | 552
  | 553
  | 554
  | 555
  | 556;
/** 4yz codes a plugin may answer with. */
export type DeferCode = 421 | 430 | 432 | 450 | 451 | 452 | 454 | 455;

export interface RefusalCodes<Code extends number, Class extends 4 | 5> {
  readonly code?: Code;
  /** RFC 3463; its class must be that of the code. */
  readonly status?: `${Class}.${number}.${number}`;
}

const refusal = (reply: Reply, close: boolean): Refusal => ({ [brand]: true, reply, close });

/** Refuses for good, 550 5.7.1 unless told otherwise. Throws a TypeError on a reply that may not be sent. */
export const reject = (text = "Rejected", codes: RefusalCodes<RejectCode, 5> = {}): Refusal =>
  refusal(makeReply(codes.code ?? 550, codes.status ?? "5.7.1", text), false);

/** Refuses for now, 451 4.7.1 unless told otherwise. Throws a TypeError on a reply that may not be sent. */
export const defer = (text = "Try again later", codes: RefusalCodes<DeferCode, 4> = {}): Refusal =>
  refusal(makeReply(codes.code ?? 451, codes.status ?? "4.7.1", text), false);

/** Answers and hangs up, 421 4.7.0 unless told otherwise. */
export const disconnect = (
  text = "Closing connection",
  codes: { readonly code?: RejectCode | DeferCode; readonly status?: Status } = {},
): Refusal =>
  refusal(
    makeReply(
      codes.code ?? 421,
      codes.status ?? (codes.code !== undefined && codes.code >= 500 ? "5.7.0" : "4.7.0"),
      text,
    ),
    true,
  );

/** A refusal from a reply in somebody's configuration. Call it at start-up: it throws a TypeError on a bad one. */
export function rejectWith(reply: Reply): Refusal {
  const checked = makeReply(reply.code, reply.status, reply.text);
  if (checked.code < 400) throw new TypeError(`not a refusal: code ${checked.code}`);
  return refusal(checked, false);
}

/** What the client gets when a plugin failed (P7). */
export const failure: Refusal = refusal(replies.internal, false);

export function isRefusal(value: unknown): value is Refusal {
  if (typeof value !== "object" || value === null || !(brand in value)) return false;
  const { reply } = value as { reply?: Reply };
  return reply !== undefined && reply.code >= 400 && replyProblem(reply) === undefined;
}
