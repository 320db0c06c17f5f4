import type { LiveGeneration } from "../host/generation.ts";
import type { Context } from "../protocol/machine.ts";
import { newId } from "./connection.ts";
import type { LiveRun } from "./live-run.ts";
import { LiveTransaction, accept } from "./transaction.ts";

/** What the rows of the command table can see. */
export const makeContext = ({ vocabulary, limits }: LiveGeneration, run: LiveRun): Context => ({
  get session() {
    return run.session;
  },
  mechanisms: vocabulary.mechanisms,
  mailParameters: vocabulary.mailParameters,
  rcptParameters: vocabulary.rcptParameters,
  messageOctets: limits.messageOctets,
  authLineOctets: limits.authLineOctets,
  keywords: () => vocabulary.ehloLines(run.session),
  verbs: () => [...vocabulary.commands.keys()],
  openTransaction: (reversePath, parameters) => new LiveTransaction(newId(run.clock.now()), reversePath, parameters),
  accept: (transaction, recipient) => accept(transaction as LiveTransaction, recipient), // opened one line above
});
