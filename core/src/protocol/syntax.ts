import type { Address } from "./address.ts";
import { needsSmtputf8 } from "./address.ts";
import { canonicalDomain, canonicalLiteral } from "./domain.ts";
import type { Context, Outcome } from "./machine.ts";
import { asciiLower, asciiUpper } from "./octets.ts";
import { type Parameters, type ParameterTable, readParameters } from "./parameters.ts";
import { readForwardPath, readReversePath } from "./path.ts";
import { replies } from "./replies.ts";
import type { Reply } from "./reply.ts";
import type { ForwardPath, Greeting } from "./session.ts";

// The syntax column of the table: argument in, value or reply out.

export const nothing = (argument: string): Outcome<undefined> =>
  argument === "" ? { value: undefined } : { problem: replies.noArgument };

export const anything = (argument: string): Outcome<string> => ({ value: argument });

export const something = (argument: string): Outcome<string> =>
  argument === "" ? { problem: replies.needsArgument } : { value: argument };

/** RFC 5321 §4.1.1.1 wants a domain or a literal; clients send whatever their host is called, so any token is taken. */
const greeting =
  (extended: boolean) =>
  (argument: string): Outcome<Greeting> =>
    argument === "" || /\s/.test(argument) || argument.length > 255
      ? { problem: replies.badGreeting }
      : { value: Object.freeze({ name: argument, extended }) };
export const ehloName = greeting(true);
export const heloName = greeting(false);

export interface MailArgument {
  readonly reversePath: Address | null;
  readonly parameters: Parameters;
}

export function reversePath(argument: string, context: Context): Outcome<MailArgument> {
  if (!isSpelt(argument, "FROM:")) return { problem: replies.badMail };
  const read = readReversePath(argument, 5);
  if (read === undefined) return { problem: replies.badReversePath };
  const parameters = readParameters(argument.slice(read.end), context.mailParameters);
  if (isReply(parameters)) return { problem: parameters };
  if (read.path !== null && needsSmtputf8(read.path) && !parameters.has("SMTPUTF8"))
    return { problem: replies.needsSmtputf8Sender }; // RFC 6531 §3.5
  const declared = Number(parameters.get("SIZE") ?? 0);
  if (context.messageOctets > 0 && declared > context.messageOctets) return { problem: replies.tooBig }; // RFC 1870 §6.1
  return { value: { reversePath: read.path, parameters } };
}

export function forwardPath(argument: string, context: Context): Outcome<ForwardPath> {
  if (!isSpelt(argument, "TO:")) return { problem: replies.badRcpt };
  const read = readForwardPath(argument, 3);
  if (read === undefined) return { problem: replies.badForwardPath };
  const parameters = readParameters(argument.slice(read.end), context.rcptParameters);
  if (isReply(parameters)) return { problem: parameters };
  const address = read.path.domain === "" ? atServer(read.path, context.session.serverName) : read.path;
  return { value: { address, parameters } };
}

/** RFC 5321 §4.5.1: `<postmaster>` is the postmaster of this server. */
const atServer = (address: Address, name: string): Address => Object.freeze({ ...address, domain: serverDomain(name) });

/** Every server has a postmaster: at its own name, whatever the case. */
export const isPostmaster = ({ localPart, domain }: Address, serverName: string): boolean =>
  localPart.length === 10 && asciiLower(localPart) === "postmaster" && domain === serverDomain(serverName);

/** Name of the server in the form addresses are compared in. */
export const serverDomain = (name: string): string => canonicalDomain(name) ?? canonicalLiteral(name) ?? name;

const isSpelt = (argument: string, keyword: string): boolean =>
  argument.startsWith(keyword) || asciiUpper(argument.slice(0, keyword.length)) === keyword;

const isReply = (value: Parameters | Reply): value is Reply => "code" in value;

/** `AUTH mechanism [initial-response]`, RFC 4954 §4. */
export interface AuthArgument {
  readonly mechanism: string;
  readonly initial: string | undefined;
}

export function authArgument(argument: string): Outcome<AuthArgument> {
  const [mechanism, initial, ...more] = argument.split(/ +/);
  if (mechanism === undefined || mechanism === "") return { problem: replies.needsArgument };
  if (more.length > 0) return { problem: replies.badBase64 };
  return { value: { mechanism: asciiUpper(mechanism), initial } };
}

/** What a parameter table adds to the length of a command line (RFC 5321 §4.5.3.1.4). */
export const parameterOctets = (table: ParameterTable): number =>
  [...table.values()].reduce((sum, syntax) => sum + syntax.octets, 0);
