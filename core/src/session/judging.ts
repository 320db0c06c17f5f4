import { callKey, deliver } from "../host/deliver.ts";
import { type Credentials, CredentialsCase } from "../host/credentials.ts";
import type { LiveGeneration } from "../host/generation.ts";
import { lookOnly } from "../host/handle.ts";
import { MessageCase } from "../host/message-view.ts";
import type { Refusal } from "../host/opinion.ts";
import { RecipientCase, type Transport, judgeRecipient } from "../host/recipient.ts";
import type { Call, Run } from "../host/run.ts";
import type { Message } from "../message/message.ts";
import { receivedField } from "../message/received.ts";
import type { Judges, Outcome } from "../protocol/machine.ts";
import { replies } from "../protocol/replies.ts";
import type { Reply } from "../protocol/reply.ts";
import { type Soon, soon } from "../protocol/soon.ts";
import { isPostmaster } from "../protocol/syntax.ts";
import type {
  AcceptedRecipient,
  ForwardPath,
  Greeting,
  Identity,
  Route,
  SentCredentials,
  Session,
  Transaction,
} from "../protocol/session.ts";
import { type LiveTransaction, routesOf } from "./transaction.ts";

/** Asks the hooks of one generation on behalf of one session: the judges of the command table. */
export class Judging implements Judges {
  readonly #generation: LiveGeneration;
  readonly #run: Run;

  constructor(generation: LiveGeneration, run: Run) {
    this.#generation = generation;
    this.#run = run;
  }

  connection(session: Session): Soon<Outcome<Session>> {
    const call: Call<Session, []> = { subject: lookOnly(session), rest: [], run: this.#run };
    return unlessRefused(this.#generation.hooks.connect.ask(call), () => ({ value: session }));
  }

  greeting(greeting: Greeting): Soon<Outcome<Greeting>> {
    const call: Call<Greeting, [Session]> = { subject: lookOnly(greeting), rest: [this.#run.session], run: this.#run };
    return unlessRefused(this.#generation.hooks.ehlo.ask(call), () => ({ value: greeting }));
  }

  credentials(sent: SentCredentials): Soon<Outcome<Identity>> {
    const subject = new CredentialsCase(sent);
    const call: Call<Credentials, [Session]> = { subject, rest: [this.#run.session], run: this.#run };
    return unlessRefused(this.#generation.hooks.auth.ask(call), () =>
      subject.identity === undefined ? { problem: replies.badCredentials } : { value: subject.identity },
    );
  }

  recipient(path: ForwardPath, open: Transaction): Soon<Outcome<AcceptedRecipient>> {
    const transaction = open as LiveTransaction; // the engine opens no other
    if (transaction.count >= this.#generation.limits.recipients) return { problem: replies.tooManyRecipients }; // RFC 5321 §4.5.3.1.10
    const subject = new RecipientCase(path, this.#generation.defaults);
    if (isPostmaster(path.address, this.#run.session.serverName)) subject.local = true; // RFC 5321 §4.5.1
    const asked = this.#generation.hooks.rcpt.ask({
      subject,
      rest: [transaction, this.#run.session],
      run: this.#run,
      transaction: transaction.id,
      recipient: path.address,
    });
    // Not through `unlessRefused`: most recipients are judged at once, and there is no function to make for them
    if (asked instanceof Promise) return asked.then((refusal) => this.#judged(refusal, subject, transaction));
    return this.#judged(asked, subject, transaction);
  }

  #judged(
    refusal: Refusal | undefined,
    subject: RecipientCase,
    transaction: LiveTransaction,
  ): Outcome<AcceptedRecipient> {
    return refusal === undefined ? this.#judgeRoute(subject, transaction) : refused(refusal);
  }

  #judgeRoute(subject: RecipientCase, transaction: LiveTransaction): Outcome<AcceptedRecipient> {
    const { vocabulary, services } = this.#generation;
    const judged = judgeRecipient(subject, vocabulary.transports);
    if ("problem" in judged) {
      const about = { session: this.#run.session.id, transaction: transaction.id };
      if (judged.complaint !== undefined) services.log.error(about, judged.complaint);
      return judged;
    }
    const { value: recipient, transport } = judged;
    if (transport.phases === "one" && this.#needsSecondCall(recipient.route, transport, transaction))
      return { problem: replies.nextTransaction };
    if (this.#run.traced) this.#traceRoute(recipient, transaction);
    return judged;
  }

  #traceRoute({ address, route }: AcceptedRecipient, { id: transaction }: Transaction): void {
    const { transport, nexthop } = route;
    const { at, session } = this.#run;
    const recipient = this.#run.spell(address);
    this.#run.trace({ type: "route", at, session, recipient, transport, nexthop, transaction });
  }

  /** A transaction holds at most one call of a one-phase transport. */
  #needsSecondCall(route: Route, transport: Transport, transaction: LiveTransaction): boolean {
    const { transports } = this.#generation.vocabulary;
    return routesOf(transaction).some((other) => {
      const its = transports.get(other.transport);
      return its?.phases === "one" && callKey(its, other) !== callKey(transport, route);
    });
  }

  /** The whole message is there: trace field, `data`, delivery. */
  message(message: Message, transaction: Transaction): Soon<Outcome<Reply>> {
    const run = this.#run;
    const { session } = run;
    const now = run.clock.now();
    message.stamp(() => receivedField(session, transaction, now));
    const { data } = this.#generation.hooks;
    if (data.isEmpty) return deliver(this.#generation, message, transaction, run, session.dryRun);
    const asked = data.ask({
      subject: new MessageCase(message),
      rest: [transaction, session],
      run,
      transaction: transaction.id,
    });
    return soon(asked, (refusal) =>
      refusal === undefined ? deliver(this.#generation, message, transaction, run, session.dryRun) : refused(refusal),
    );
  }
}

/** Nobody refused: then silence is judged. */
const unlessRefused = <T>(asked: Soon<Refusal | undefined>, silence: () => Outcome<T>): Soon<Outcome<T>> =>
  soon(asked, (refusal) => (refusal === undefined ? silence() : refused(refusal)));

const refused = ({ reply, close }: Refusal) => ({ problem: reply, close });
