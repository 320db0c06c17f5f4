import { decodeBase64, encodeBase64 } from "./base64.ts";
import type { Context, Exchange, In, State, Step } from "./machine.ts";
import { replies } from "./replies.ts";
import type { Reply } from "./reply.ts";
import type { AcceptedRecipient, Greeting } from "./session.ts";
import type { AuthArgument, MailArgument } from "./syntax.ts";

// The last column of the table: what each command changes, as pure functions.

const on = (reply: Reply, state: State): Step => ({ go: "on", reply, state });

/** RFC 5321 §4.1.4: EHLO and HELO end an open transaction. */
export const greet = (_state: State, greeting: Greeting, context: Context): Step =>
  on(greeting.extended ? extendedGreeting(context) : plainGreeting(context), { phase: "ready", greeting });

const plainGreeting = (context: Context): Reply => ({ code: 250, text: context.session.serverName });

let lastGreeting: Reply & { readonly text: readonly string[] } = { code: 250, text: [] };

/** Most clients are told what the one before them was told: checked and encoded once. */
function extendedGreeting(context: Context): Reply {
  const { serverName, client } = context.session;
  const text = [`${serverName} greets ${client.address}`, ...context.keywords()];
  const { text: last } = lastGreeting;
  if (text.length !== last.length || text.some((line, index) => line !== last[index]))
    lastGreeting = Object.freeze({ code: 250, text: Object.freeze(text) });
  return lastGreeting;
}

export const begin = (state: In<"ready">, { reversePath, parameters }: MailArgument, context: Context): Step =>
  on(replies.senderOk, {
    phase: "mail",
    greeting: state.greeting,
    transaction: context.openTransaction(reversePath, parameters),
  });

export const addRecipient = (state: In<"mail" | "rcpt">, recipient: AcceptedRecipient, context: Context): Step => {
  context.accept(state.transaction, recipient);
  const { phase, greeting, transaction } = state;
  return on(replies.recipientOk, phase === "rcpt" ? state : { phase: "rcpt", greeting, transaction });
};

export const openBody = (state: In<"mail" | "rcpt">): Step => {
  const { greeting, transaction } = state;
  if (state.phase === "mail") return on(replies.noValidRecipients, state);
  return { go: "body", reply: replies.startBody, transaction, state: { phase: "ready", greeting } };
};

/** RFC 5321 §4.1.1.5: the greeting stays, the transaction goes. */
export const reset = (state: State): Step =>
  on(replies.ok, state.phase === "new" ? state : { phase: "ready", greeting: state.greeting });

export const stay =
  (reply: Reply) =>
  (state: State): Step =>
    on(reply, state);

export const help = (state: State, _topic: string, context: Context): Step =>
  on({ code: 214, status: "2.0.0", text: `Commands: ${context.verbs().join(" ")}` }, state);

export const leave = (): Step => ({ go: "close", reply: replies.bye });

export function authenticate(state: In<"ready">, argument: AuthArgument, context: Context): Step {
  if (context.session.identity !== undefined) return on(replies.alreadyAuthenticated, state);
  const mechanism = context.mechanisms.get(argument.mechanism);
  if (context.mechanisms.size === 0) return on(replies.notImplemented, state);
  if (mechanism === undefined) return on(replies.unknownMechanism, state);
  if (mechanism.offered?.(context.session) === false)
    return on(context.session.tls === undefined ? replies.authNeedsTls : replies.unknownMechanism, state);
  const initial = argument.initial === undefined ? undefined : decodeInitial(argument.initial);
  if (initial === null) return on(replies.badBase64, state);
  return exchange(state, mechanism.start(initial, context.session), context.authLineOctets);
}

/** RFC 4954 §4: `=` alone is an initial response of no octets. */
const decodeInitial = (text: string): Uint8Array | null => (text === "=" ? new Uint8Array(0) : decodeBase64(text));

/** `octets`: longest line of the exchange, CRLF included. */
function exchange(state: In<"ready">, step: Exchange, octets: number): Step {
  if ("refuse" in step) return on(step.refuse, state);
  if ("credentials" in step) {
    const resume = (identity: { name: string }): Step => ({ go: "on", reply: replies.authenticated, state, identity });
    return { go: "credentials", credentials: step.credentials, resume };
  }
  return {
    go: "line",
    reply: { code: 334, text: encodeBase64(step.challenge) },
    octets,
    tooLong: replies.authLineTooLong,
    resume: (line) => {
      if (line === "*") return on(replies.authCancelled, state);
      const response = decodeBase64(line);
      return response === null ? on(replies.badBase64, state) : exchange(state, step.next(response), octets);
    },
  };
}
