import type { Reply } from "./reply.ts";
import type {
  AcceptedRecipient,
  SentCredentials,
  ForwardPath,
  Greeting,
  Identity,
  Session,
  Transaction,
} from "./session.ts";
import type { Parameters, ParameterTable } from "./parameters.ts";
import type { Address } from "./address.ts";
import type { Soon } from "./soon.ts";

/** Where a dialogue stands. Each phase carries what is known in it, so an illegal state has no type. */
export type State =
  | { readonly phase: "new" }
  | { readonly phase: "ready"; readonly greeting: Greeting }
  | { readonly phase: "mail"; readonly greeting: Greeting; readonly transaction: Transaction }
  | { readonly phase: "rcpt"; readonly greeting: Greeting; readonly transaction: Transaction };

export type Phase = State["phase"];
export type In<P extends Phase> = Extract<State, { readonly phase: P }>;

/** What a row or a hook came to: a value to go on with, or the reply that says no. `close` hangs up after it. */
export type Outcome<T> = { readonly value: T } | { readonly problem: Reply; readonly close?: boolean | undefined };

/** Those who judge: core's hooks, as the table sees them. The session room provides them, and asks `data` and `queue` when a body is over. */
export interface Judges {
  greeting(greeting: Greeting): Soon<Outcome<Greeting>>;
  credentials(credentials: SentCredentials): Soon<Outcome<Identity>>;
  recipient(path: ForwardPath, transaction: Transaction): Soon<Outcome<AcceptedRecipient>>;
}

/** What asks one of the judges. A promise only where somebody has to wait: else the reply leaves in the same tick. */
export type Ask<A, J, P extends Phase = Phase> = (judges: Judges, state: In<P>, argument: A) => Soon<Outcome<J>>;

/** A change of the connection below SMTP, made by the server room. Opaque here. */
export interface Upgrade {
  readonly upgrade: string;
}

/** Who a trusted intermediary says the client is (XCLIENT, PROXY). */
export interface AssumedClient {
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  readonly identity?: Identity | undefined;
}

/**
 * What a command does. The reply alone, or one of the five things that may be done to the wire and no more:
 * close, upgrade, read a line, read a body, assume a client.
 */
export type Step =
  | { readonly go: "on"; readonly reply: Reply; readonly state: State; readonly identity?: Identity | undefined }
  | { readonly go: "close"; readonly reply: Reply }
  | { readonly go: "upgrade"; readonly reply: Reply; readonly upgrade: Upgrade }
  | {
      readonly go: "line";
      readonly reply: Reply;
      readonly octets: number;
      readonly tooLong: Reply;
      readonly resume: (line: string) => Step;
    }
  | { readonly go: "body"; readonly reply: Reply; readonly transaction: Transaction; readonly state: State }
  | { readonly go: "credentials"; readonly credentials: SentCredentials; readonly resume: (identity: Identity) => Step }
  | { readonly go: "assume"; readonly client: AssumedClient };

/** One step of a SASL exchange: ask for more, hand over what was learnt, or refuse. */
export type Exchange =
  | { readonly challenge: Uint8Array; readonly next: (response: Uint8Array) => Exchange }
  | { readonly credentials: SentCredentials }
  | { readonly refuse: Reply };

/** A SASL mechanism, RFC 4422. Its framing on the wire (RFC 4954) is core's. */
export interface Mechanism {
  readonly name: string;
  /** Whether it may be used now; only then does EHLO list it. Undefined means always. */
  readonly offered?: ((session: Session) => boolean) | undefined;
  /** `initial` is the initial response, or undefined when the client sent none. */
  readonly start: (initial: Uint8Array | undefined, session: Session) => Exchange;
}

/** What a row can see beside the state. */
export interface Context {
  readonly session: Session;
  readonly mechanisms: ReadonlyMap<string, Mechanism>;
  readonly mailParameters: ParameterTable;
  readonly rcptParameters: ParameterTable;
  /** Largest message in octets; 0 for no limit (RFC 1870 §5). */
  readonly messageOctets: number;
  /** Longest line of an AUTH exchange, CRLF included (RFC 4954 §4). */
  readonly authLineOctets: number;
  /** Lines of the EHLO reply behind its first. */
  keywords(): readonly string[];
  verbs(): readonly string[];
  openTransaction(reversePath: Address | null, parameters: Parameters): Transaction;
  /** Takes a recipient in. Of a plugin's verb it counts once the verb has answered, in time and without failing. */
  accept(transaction: Transaction, recipient: AcceptedRecipient): void;
}

/**
 * A command: legal phases, syntax, who judges, what changes. Core's own verbs and a plugin's are the same rows.
 * `A` is what the syntax yields, `J` what the judge makes of it.
 */
export interface Row<A = never, J = never, P extends Phase = Phase> {
  readonly phases: readonly P[];
  readonly syntax: (argument: string, context: Context) => Outcome<A>;
  readonly judge: Ask<A, J, P>;
  readonly change: (state: In<P>, judged: J, context: Context) => Step;
  /** Must end a pipelined group (RFC 2920 §3.1). */
  readonly last: boolean;
  /** Longest line, CRLF included; parameters of MAIL and RCPT come on top. */
  readonly octets: number;
}

/** A row whose types nobody needs to know: what `command` returns and the table holds. */
export interface Command {
  readonly last: boolean;
  readonly octets: number;
  readonly phases: readonly Phase[];
  /** Runs syntax, judge and change in turn. `state` must be in one of `phases`. */
  run(judges: Judges, state: State, argument: string, context: Context): Soon<Step | Refused>;
}

/** The command was refused: the state stays as it was. */
export interface Refused {
  readonly go: "refused";
  readonly reply: Reply;
  readonly close: boolean;
  /** The syntax was wrong, not the request. */
  readonly syntax: boolean;
}

/** Nobody is asked: what was parsed is what changes. */
export const nobody = <A>(_judges: Judges, _state: State, argument: A): Outcome<A> => ({ value: argument });

/** Closes a row over its types. The one cast is sound: `phases` is checked by the engine before `run`. */
export function command<A, J, P extends Phase>(row: Row<A, J, P>): Command {
  const settle = (judged: Outcome<J>, state: In<P>, context: Context): Step | Refused =>
    "value" in judged ? row.change(state, judged.value, context) : refused(judged, false);
  return {
    last: row.last,
    octets: row.octets,
    phases: row.phases,
    run(judges, state, argument, context) {
      const parsed = row.syntax(argument, context);
      if (!("value" in parsed)) return parsed instanceof Promise ? promised(parsed) : refused(parsed, true);
      const here = state as In<P>;
      const judged = row.judge(judges, here, parsed.value);
      return judged instanceof Promise
        ? judged.then((outcome) => settle(outcome, here, context))
        : settle(judged, here, context);
    },
  };
}

/** The types forbid it, plain JavaScript does not. */
const promised = (parsed: Promise<unknown>): Promise<never> =>
  parsed.then(() => {
    throw new TypeError("it came to a promise of its syntax, which must answer at once");
  });

const refused = (no: { problem: Reply; close?: boolean | undefined }, syntax: boolean): Refused => ({
  go: "refused",
  reply: no.problem,
  close: no.close === true,
  syntax,
});
