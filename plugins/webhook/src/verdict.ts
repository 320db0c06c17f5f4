import {
  type Refusal,
  type Reply,
  type Status,
  defer,
  quotable,
  reject,
  rejectWith,
  replyProblem,
} from "@mailhost/core";
import type { Answer } from "./request.ts";

export const tooBig = reject("The message is too big", { code: 552, status: "5.3.4" });
export const unreadable = reject("The message cannot be read", { code: 554, status: "5.6.0" });
export const busy = defer("Too many messages at a time", { code: 451, status: "4.3.2" });
const refused = reject("The message was refused", { code: 550, status: "5.7.1" });
const unreachable = defer("The message could not be handed on", { code: 451, status: "4.4.1" });
const failing = defer("The message could not be handed on", { code: 451, status: "4.3.0" });
const misconfigured = defer("The message could not be handed on", { code: 451, status: "4.3.5" });

/** What an answer means. */
export interface Verdict {
  /** What the client is told when no other try changes it; nothing when the endpoint has the message. */
  readonly refusal?: Refusal;
  /** Another try may change it. */
  readonly again: boolean;
  /** For the log: nothing that the endpoint wrote. */
  readonly why: string;
  /** Somebody has to mend something. */
  readonly fault: boolean;
}

/** Statuses that ask for patience: RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4. */
const patience: readonly number[] = [408, 425, 429];

/** Reads an answer. What is neither yes, no nor patience is a fault of the configuration: 451, for no mail may be lost by it. */
export function judge(answer: Answer, rejects: readonly number[]): Verdict {
  if (answer.kind === "taken") return { again: false, why: "taken", fault: false };
  if (answer.kind === "failed") return { refusal: unreachable, again: true, why: answer.error.message, fault: false };
  const { status } = answer;
  const why = `status ${status}`;
  const said = readReply(answer);
  if (said.refusal !== undefined) return { refusal: said.refusal, again: false, why, fault: false };
  const told = `${why}${said.problem === undefined ? "" : `, and its reply is none: ${said.problem}`}`;
  if (rejects.includes(status))
    return { refusal: status === 413 ? tooBig : refused, again: false, why: told, fault: said.problem !== undefined };
  if (status >= 500 || patience.includes(status)) return { refusal: failing, again: true, why: told, fault: false };
  return { refusal: misconfigured, again: false, why: told, fault: true };
}

/** `{ "reply": "550 5.1.1 No such ticket" }`: a verdict in the words of SMTP. */
function readReply({ status, type, text }: Extract<Answer, { kind: "refused" }>): {
  readonly refusal?: Refusal;
  readonly problem?: string;
} {
  if (status < 400 || !/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) return {};
  const written = replyIn(text);
  if (written === undefined) return {};
  // x5z is what the mail system says of itself (RFC 5321 §4.2.1): a 421 or 535 is not the endpoint's to give
  const [, code = "", enhanced, words = ""] = /^([45]5\d)(?: (\d\.\d{1,3}\.\d{1,3}))?(?: ([^]*))?$/.exec(written) ?? [];
  if (code === "") return { problem: "it is not a 45z or 55z, a status and text" };
  const reply: Reply = {
    code: Number(code),
    // Its form was looked at, and its class is looked at below
    status: (enhanced ?? `${code.charAt(0)}.0.0`) as Status,
    text: quotable(words.trim(), 400) || "Refused",
  };
  const problem = replyProblem(reply);
  return problem === undefined ? { refusal: rejectWith(reply) } : { problem };
}

function replyIn(text: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== "object" || body === null || !("reply" in body)) return undefined;
    return typeof body.reply === "string" ? body.reply : "";
  } catch {
    return undefined;
  }
}

/** Milliseconds that Retry-After (RFC 9110 §10.2.3) asks for: seconds or a date. */
export function readRetryAfter(value: string | undefined, now: number): number {
  if (value === undefined) return 0;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}
