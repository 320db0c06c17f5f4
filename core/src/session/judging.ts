import { callKey, deliver } from "../host/deliver.ts";
import { type Credentials, CredentialsCase } from "../host/credentials.ts";
import type { LiveGeneration } from "../host/generation.ts";
import { lookOnly } from "../host/handle.ts";
import { MessageCase, type MessageView } from "../host/message-view.ts";
import type { Refusal } from "../host/opinion.ts";
import { type Recipient, RecipientCase, type Transport, judgeRecipient } from "../host/recipient.ts";
import type { Call, Run } from "../host/run.ts";
import type { Message } from "../message/message.ts";
import { type Soon, calledBack, soon } from "../message/soon.ts";
import { receivedField } from "../message/received.ts";
import type { Done, Judges, Outcome } from "../protocol/machine.ts";
import { replies } from "../protocol/replies.ts";
import type { Reply } from "../protocol/reply.ts";
import { isPostmaster } from "../protocol/syntax.ts";
import type {
  AcceptedRecipient,
  ForwardPath,
  Greeting,
  Identity,
  SentCredentials,
  Session,
  Transaction,
} from "../protocol/session.ts";
import type { LiveTransaction } from "./transaction.ts";

interface Hook<C> {
  readonly taps: readonly unknown[];
  callAsync(call: C, done: (error: Error | null | undefined, refusal?: Refusal) => void): void;
}

/** One recipient put to the hook. */
interface RecipientCall extends Call<Recipient, [LiveTransaction, Session]> {
  readonly subject: RecipientCase;
}

/** Asks the hooks of one generation on behalf of one session: the judges of the command table. */
export class Judging implements Judges {
  readonly #generation: LiveGeneration;
  readonly #run: Run;

  constructor(generation: LiveGeneration, run: Run) {
    this.#generation = generation;
    this.#run = run;
  }

  connection(session: Session, done: Done<Session>): void {
    const call: Call<Session, []> = { subject: lookOnly(session), rest: [], run: this.#run };
    this.#ask(this.#generation.hooks.connect, call, done, () => ({ value: session }));
  }

  greeting(greeting: Greeting, done: Done<Greeting>): void {
    const call: Call<Greeting, [Session]> = { subject: lookOnly(greeting), rest: [this.#run.session], run: this.#run };
    this.#ask(this.#generation.hooks.ehlo, call, done, () => ({ value: greeting }));
  }

  credentials(sent: SentCredentials, done: Done<Identity>): void {
    const subject = new CredentialsCase(sent);
    const call: Call<Credentials, [Session]> = { subject, rest: [this.#run.session], run: this.#run };
    this.#ask(this.#generation.hooks.auth, call, done, () =>
      subject.identity === undefined ? { problem: replies.badCredentials } : { value: subject.identity },
    );
  }

  recipient(path: ForwardPath, open: Transaction, done: Done<AcceptedRecipient>): void {
    const transaction = open as LiveTransaction; // the engine opens no other
    if (transaction.count >= this.#generation.limits.recipients) return done({ problem: replies.tooManyRecipients }); // RFC 5321 §4.5.3.1.10
    const subject = new RecipientCase(path, this.#generation.defaults);
    if (isPostmaster(path.address, this.#run.session.serverName)) subject.local = true; // RFC 5321 §4.5.1
    const call: RecipientCall = {
      subject,
      rest: [transaction, this.#run.session],
      run: this.#run,
      transaction: transaction.id,
      recipient: path.address,
    };
    this.#ask(this.#generation.hooks.rcpt, call, done, Judging.#routed);
  }

  /** Nobody refused. The same for all sessions: there is no function to make for a recipient. */
  static readonly #routed = (call: RecipientCall, its: Judging): Outcome<AcceptedRecipient> => its.#judgeRoute(call);

  #judgeRoute({ subject, rest: [transaction] }: RecipientCall): Outcome<AcceptedRecipient> {
    const { vocabulary, services } = this.#generation;
    const judged = judgeRecipient(subject, vocabulary.transports);
    if ("problem" in judged) {
      const about = { session: this.#run.session.id, transaction: transaction.id };
      if (judged.complaint !== undefined) services.log.error(about, judged.complaint);
      return judged;
    }
    const { value: recipient, transport } = judged;
    if (transport.phases === "one" && this.#needsSecondCall(recipient, transport, transaction))
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
  #needsSecondCall(recipient: AcceptedRecipient, transport: Transport, transaction: Transaction): boolean {
    const { transports } = this.#generation.vocabulary;
    return transaction.recipients.some((other) => {
      const its = transports.get(other.route.transport);
      return its?.phases === "one" && callKey(its, other) !== callKey(transport, recipient);
    });
  }

  /** The whole message is there: trace field, `data`, delivery. */
  message(message: Message, transaction: Transaction): Soon<Outcome<Reply>> {
    const run = this.#run;
    const { session } = run;
    const now = run.clock.now();
    message.stamp(() => receivedField(session, transaction, now));
    const { data } = this.#generation.hooks;
    if (data.taps.length === 0) return deliver(this.#generation, message, transaction, run, session.dryRun);
    const call: Call<MessageView, [Transaction, Session]> = {
      subject: new MessageCase(message),
      rest: [transaction, session],
      run,
      transaction: transaction.id,
    };
    const judged = calledBack<Outcome<Message>>((done) => this.#ask(data, call, done, () => ({ value: message })));
    return soon(judged, (outcome) =>
      "problem" in outcome ? outcome : deliver(this.#generation, message, transaction, run, session.dryRun),
    );
  }

  #ask<C, J>(hook: Hook<C>, call: C, done: Done<J>, silence: (call: C, its: this) => Outcome<J>): void {
    if (hook.taps.length === 0) return done(silence(call, this));
    hook.callAsync(call, (error, refusal) => {
      // Cannot happen: the guard lets no error through. If it does, nobody is let in by it
      if (error instanceof Error) done({ problem: replies.internal });
      else done(refusal === undefined ? silence(call, this) : { problem: refusal.reply, close: refusal.close });
    });
  }
}
