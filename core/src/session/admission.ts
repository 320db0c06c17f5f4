import type { Spoken, Vocabulary } from "../host/vocabulary.ts";
import type { Phase } from "../protocol/machine.ts";
import { replies } from "../protocol/replies.ts";
import type { Reply } from "../protocol/reply.ts";
import type { Session } from "../protocol/session.ts";

/** Verbs of other protocols, sent across by browsers and scanners: the dialogue ends at once. */
export const foreignVerbs: ReadonlySet<string> = new Set([
  "GET",
  "POST",
  "PUT",
  "HEAD",
  "OPTIONS",
  "CONNECT",
  "DELETE",
  "PATCH",
  "TRACE",
]);

/** What stands before any row: the length of its line in octets, gates, legal phases. Undefined when it may run. */
export function refuseVerb(
  { verb, command, octets: most }: Spoken,
  octets: number,
  phase: Phase,
  session: Session,
  { gates }: Vocabulary,
): Reply | undefined {
  if (octets > most) return verb === "AUTH" ? replies.authLineTooLong : replies.lineTooLong;
  for (const gate of gates) {
    const refusal = gate(verb, session);
    if (refusal !== undefined) return refusal;
  }
  if (command.phases.includes(phase)) return undefined;
  if (phase === "new") return replies.greetFirst;
  return verb === "MAIL" ? replies.nestedMail : replies.badSequence;
}
