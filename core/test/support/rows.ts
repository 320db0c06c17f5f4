import { baseCommands } from "../../src/protocol/commands.ts";
import type { Command, Context, In, Judges, Refused, State, Step } from "../../src/protocol/machine.ts";
import { mailParameters } from "../../src/protocol/parameters.ts";
import type { AcceptedRecipient, Session, Transaction } from "../../src/protocol/session.ts";

// The table without an engine: a row is run as a function, on a state that is written down.

export const session: Session = {
  id: "A1",
  serverName: "MX.Example.com",
  mode: "transfer",
  listener: "test",
  client: { address: "192.0.2.1", port: 40_000 },
  local: { address: "192.0.2.25", port: 25 },
  greeting: undefined,
  tls: undefined,
  identity: undefined,
  spokeEarly: false,
  startedAt: 0,
  dryRun: false,
};

export const transaction: Transaction = {
  id: "A1.1",
  reversePath: null,
  parameters: new Map(),
  smtputf8: false,
  recipients: [],
};

const greeting = { name: "client.test", extended: true };
export const fresh: In<"new"> = { phase: "new" };
export const ready: In<"ready"> = { phase: "ready", greeting };
export const mail: In<"mail"> = { phase: "mail", greeting, transaction };
export const rcpt: In<"rcpt"> = { phase: "rcpt", greeting, transaction };

/** What a row sees, with what it did: recipients that it accepted. */
export function contextOf(more: Partial<Context> = {}): Context & { readonly accepted: AcceptedRecipient[] } {
  const accepted: AcceptedRecipient[] = [];
  return {
    accepted,
    session,
    mechanisms: new Map(),
    mailParameters,
    rcptParameters: new Map(),
    messageOctets: 1000,
    authLineOctets: 12_288,
    keywords: () => ["PIPELINING", "8BITMIME"],
    verbs: () => ["EHLO", "QUIT"],
    openTransaction: (reversePath, parameters) => ({ ...transaction, reversePath, parameters: new Map(parameters) }),
    accept: (_transaction, recipient) => void accepted.push(recipient),
    ...more,
  };
}

/** Everybody says yes. */
export const yes: Judges = {
  greeting: (said) => ({ value: said }),
  credentials: ({ username }) => ({ value: { name: username } }),
  recipient: (path) => ({ value: { ...path, kind: "local", route: { transport: "box" } } }),
};

export function rowOf(verb: string): Command {
  const row = baseCommands.get(verb);
  if (row === undefined) throw new Error(`no row ${verb}`);
  return row;
}

/** What a row came to, in the tick it was asked. */
export function run(
  verb: string,
  state: State,
  argument: string,
  context: Context = contextOf(),
  judges: Judges = yes,
): Step | Refused {
  const step = rowOf(verb).run(judges, state, argument, context);
  if (step instanceof Promise) throw new Error(`${verb} waits`);
  return step;
}
