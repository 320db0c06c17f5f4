import type { LineFault } from "../host/trace.ts";
import { replies } from "../protocol/replies.ts";
import type { Reply } from "../protocol/reply.ts";

/** RFC 5321 §3.1: a refused connection gets 554, or 421 when it may come again; 521 is RFC 7504. */
export function connectionRefusal(problem: Reply): Reply {
  if (problem.code < 500) return { ...problem, code: 421 };
  return problem.code === 521 ? problem : { ...problem, code: 554 };
}

/** A row may say no by itself: what is wrong in syntax or sequence counts as an error. */
export const isFault = (reply: Reply): boolean =>
  reply.code === 555 || (reply.code >= 500 && reply.code < 505 && reply !== replies.notImplemented);

export const badLine = (read: LineFault): Reply =>
  read === "tooLong" ? replies.lineTooLong : read === "badLineEnd" ? replies.badLineEnd : replies.badOctets;
