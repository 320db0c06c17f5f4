import { type Soon, attempt, soon } from "../protocol/soon.ts";
import type { Message } from "../message/message.ts";
import type { Outcome } from "../protocol/machine.ts";
import { replies } from "../protocol/replies.ts";
import type { Reply } from "../protocol/reply.ts";
import type { Transaction } from "../protocol/session.ts";
import type { BodyIntake } from "./body.ts";
import type { Judging } from "./judging.ts";
import type { LiveRun } from "./live-run.ts";

/** A reply and whether it is the last. */
export interface Answer {
  readonly reply: Reply;
  readonly close: boolean;
}

/** Makes a message of a body that is over, and has it judged and delivered. Neither throws nor rejects. */
export function receiveMessage({ receiver, transaction }: BodyIntake, judging: Judging, run: LiveRun): Soon<Answer> {
  const failed = (error: unknown): Answer => {
    run.log.error({ err: error, session: run.session.id, transaction: transaction.id }, "delivery failed");
    return { reply: replies.internal, close: false };
  };
  const received = attempt(
    () =>
      soon(receiver.finish(), (message) =>
        "code" in message ? { reply: message, close: false } : soon(judge(message, transaction, judging), answerOf),
      ),
    failed,
  );
  return soon(received, (answer) => {
    const { session, traced } = run;
    const { reply } = answer;
    if (traced) run.trace({ type: "delivered", at: run.at, session, transaction: transaction.id, reply });
    return answer;
  });
}

/** Judges and delivers; then nobody reads the message any more. */
function judge(message: Message, transaction: Transaction, judging: Judging): Soon<Outcome<Reply>> {
  const judged = attempt(
    () => judging.message(message, transaction),
    (error) =>
      soon(message.dispose(), () => {
        throw error;
      }),
  );
  return soon(judged, (outcome) => soon(message.dispose(), () => outcome));
}

const answerOf = (outcome: Outcome<Reply>): Answer =>
  "problem" in outcome
    ? { reply: outcome.problem, close: outcome.close === true }
    : { reply: outcome.value, close: false };
