import { type Refusal, disconnect, rejectWith } from "@mailhost/core";
import type { Excess, LimitReply, LimitsOptions } from "./options.ts";

/** RFC 3463 §3.8: 4.7.0 other security status, 4.7.1 delivery not authorized; both for now. */
const usual: Readonly<Record<Excess, LimitReply>> = {
  concurrency: { code: 421, status: "4.7.0", text: "Too many connections at once, try again later" },
  connections: { code: 421, status: "4.7.0", text: "Connecting too often, try again later" },
  messages: { code: 450, status: "4.7.1", text: "Too many messages, try again later" },
  recipients: { code: 450, status: "4.7.1", text: "Too many recipients, try again later" },
  faults: { code: 421, status: "4.7.0", text: "Too many errors, try again later" },
  authFailures: { code: 421, status: "4.7.0", text: "Too many failed logins, try again later" },
};

/** RFC 5321 §3.8: whoever says 421 closes. */
const refusalOf = ({ code, status, text }: LimitReply): Refusal =>
  code === 421 ? disconnect(text, { status }) : rejectWith({ code, status, text });

export function makeRefusals(replies: LimitsOptions["replies"] = {}): Readonly<Record<Excess, Refusal>> {
  const of = (excess: Excess): Refusal => refusalOf(replies[excess] ?? usual[excess]);
  return {
    concurrency: of("concurrency"),
    connections: of("connections"),
    messages: of("messages"),
    recipients: of("recipients"),
    faults: of("faults"),
    authFailures: of("authFailures"),
  };
}
