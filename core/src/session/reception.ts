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

/** Makes a message of a body that is over, and has it judged and delivered. Rejects never. */
export async function receiveMessage(intake: BodyIntake, judging: Judging, run: LiveRun): Promise<Answer> {
  const { receiver, transaction } = intake;
  let answer: Answer = { reply: replies.internal, close: false };
  try {
    const message = await receiver.finish();
    answer =
      "code" in message ? { reply: message, close: false } : answerOf(await judge(message, transaction, judging));
  } catch (error) {
    run.log.error({ err: error, session: run.session.id, transaction: transaction.id }, "delivery failed");
  }
  run.trace({ type: "delivered", transaction: transaction.id, reply: answer.reply });
  return answer;
}

async function judge(message: Message, transaction: Transaction, judging: Judging): Promise<Outcome<Reply>> {
  try {
    return await judging.message(message, transaction);
  } finally {
    await message.dispose();
  }
}

const answerOf = (outcome: Outcome<Reply>): Answer =>
  "problem" in outcome
    ? { reply: outcome.problem, close: outcome.close === true }
    : { reply: outcome.value, close: false };
