import { needsSmtputf8 } from "./address.ts";
import * as change from "./changes.ts";
import { type Ask, type Command, type In, type Judges, type Phase, type Row, command, nobody } from "./machine.ts";
import { replies } from "./replies.ts";
import type { ForwardPath, Greeting } from "./session.ts";
import * as syntax from "./syntax.ts";

/** RFC 5321 §4.5.3.1.4: 512 octets a command line, CRLF included, before extensions. */
export const commandLineOctets = 512;

const anyPhase = ["new", "ready", "mail", "rcpt"] as const;
const open = ["mail", "rcpt"] as const;

/** The hooks a row can ask. AUTH and DATA ask theirs when they resume: `auth` and `data` with `queue`. */
const asks = {
  ehlo: (judges: Judges, _state: unknown, greeting: Greeting) => judges.greeting(greeting),
  rcpt: (judges: Judges, { transaction }: In<"mail" | "rcpt">, path: ForwardPath) =>
    needsSmtputf8(path.address) && !transaction.smtputf8
      ? { problem: replies.needsSmtputf8Recipient } // RFC 6531 §3.5
      : judges.recipient(path, transaction),
};

/** What a row consists of, in the order of the table's columns; `octets` of its line, 512 unless told otherwise. */
export type Columns<A, J, P extends Phase> = [
  phases: readonly P[],
  syntax: Row<A, J, P>["syntax"],
  judge: Ask<A, J, P>,
  change: Row<A, J, P>["change"],
  octets?: number,
];

/** A row that may stand anywhere in a pipelined group. */
export const row = <A, J, P extends Phase>(...columns: Columns<A, J, P>): Command => make(false, columns);

/** A row that must end a pipelined group (RFC 2920 §3.1). */
export const last = <A, J, P extends Phase>(...columns: Columns<A, J, P>): Command => make(true, columns);

function make<A, J, P extends Phase>(isLast: boolean, columns: Columns<A, J, P>): Command {
  const [phases, read, judge, changes, octets = commandLineOctets] = columns;
  return command({ phases, syntax: read, judge, change: changes, last: isLast, octets });
}

/** The protocol. A plugin's verbs stand beside these, as rows of the same type. */
// prettier-ignore
export const baseCommands: ReadonlyMap<string, Command> = new Map<string, Command>([
  // verb        legal in          syntax               judged by  what changes
  ["EHLO", last(anyPhase,         syntax.ehloName,     asks.ehlo, change.greet)],                                     // RFC 5321 §4.1.1.1
  ["HELO", last(anyPhase,         syntax.heloName,     asks.ehlo, change.greet)],                                     // §4.1.1.1
  ["MAIL",  row(["ready"],        syntax.reversePath,  nobody,    change.begin)],                                     // §4.1.1.2
  ["RCPT",  row(open,             syntax.forwardPath,  asks.rcpt, change.addRecipient)],                              // §4.1.1.3
  ["DATA", last(open,             syntax.nothing,      nobody,    change.openBody)],                                  // §4.1.1.4
  ["RSET",  row(anyPhase,         syntax.nothing,      nobody,    change.reset)],                                     // §4.1.1.5
  ["VRFY", last(anyPhase,         syntax.something,    nobody,    change.stay(replies.cannotVerify))],                // §4.1.1.6, §3.5.3
  ["EXPN", last(anyPhase,         syntax.anything,     nobody,    change.stay(replies.notImplemented))],              // §4.1.1.7
  ["HELP",  row(anyPhase,         syntax.anything,     nobody,    change.help)],                                      // §4.1.1.8
  ["NOOP", last(anyPhase,         syntax.anything,     nobody,    change.stay(replies.ok))],                          // §4.1.1.9
  ["QUIT", last(anyPhase,         syntax.nothing,      nobody,    change.leave)],                                     // §4.1.1.10
  ["AUTH", last(["ready"],        syntax.authArgument, nobody,    change.authenticate)],                              // RFC 4954 §4
]);
