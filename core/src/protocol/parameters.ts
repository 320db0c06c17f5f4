import { asciiUpper } from "./octets.ts";
import { type Reply } from "./reply.ts";
import { replies } from "./replies.ts";

/** Parameters of one MAIL or RCPT by upper-case keyword; null where no `=value` was written. */
export type Parameters = ReadonlyMap<string, string | null>;

/**
 * A MAIL or RCPT parameter (RFC 5321 §4.1.2). `octets` is what it may add to the command line (§4.5.3.1.4);
 * `problem` looks at the value alone and answers with a refusal or nothing.
 */
export interface ParameterSyntax {
  readonly octets: number;
  readonly problem: (value: string | null) => Reply | undefined;
}

export type ParameterTable = ReadonlyMap<string, ParameterSyntax>;

// oxlint-disable-next-line no-control-regex -- esmtp-value is what control octets are kept out of
const esmtpParameter = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\s=\u0000-\u001f\u007f]+))?$/;
const noValue = (value: string | null): Reply | undefined => (value === null ? undefined : replies.badParameter);
const matching =
  (pattern: RegExp) =>
  (value: string | null): Reply | undefined =>
    value !== null && pattern.test(value) ? undefined : replies.badParameter;

/** The parameters core itself offers on MAIL. */
export const mailParameters: ParameterTable = new Map<string, ParameterSyntax>([
  ["SIZE", { octets: 26, problem: matching(/^\d{1,20}$/) }], // RFC 1870 §4
  ["BODY", { octets: 16, problem: matching(/^(?:7BIT|8BITMIME)$/i) }], // RFC 6152 §2
  ["SMTPUTF8", { octets: 10, problem: noValue }], // RFC 6531 §3.4
]);

/** `AUTH=` on MAIL (RFC 4954 §5), read and passed over. Clients write it with and without brackets. */
export const authParameter: ParameterSyntax = {
  octets: 500,
  problem: (value) => (value === null ? replies.badParameter : undefined),
};

/** A Map, since its keys come from the wire. Plugins read it: once it is read, nobody writes in it. */
class ReadParameters extends Map<string, string | null> {
  #read = false;

  seal(): this {
    this.#read = true;
    return this;
  }

  override set(keyword: string, value: string | null): this {
    this.#mayChange();
    return super.set(keyword, value);
  }
  override delete(keyword: string): boolean {
    this.#mayChange();
    return super.delete(keyword);
  }
  override clear(): void {
    this.#mayChange();
    super.clear();
  }

  #mayChange(): void {
    if (this.#read) throw new TypeError("parameters are as the client wrote them: they cannot be changed");
  }
}

/** Most paths stand alone. */
const noParameters: Parameters = new ReadParameters().seal();

/** Reads what follows a path. */
export function readParameters(text: string, table: ParameterTable): Parameters | Reply {
  if (text === "") return noParameters;
  const read = new ReadParameters();
  for (const word of text.split(/[ \t]+/)) {
    if (word === "") continue;
    const matched = esmtpParameter.exec(word);
    if (matched?.[1] === undefined) return replies.badParameter;
    const keyword = asciiUpper(matched[1]);
    const syntax = table.get(keyword);
    if (syntax === undefined) return replies.unknownParameter;
    if (read.has(keyword)) return replies.repeatedParameter;
    const value = matched[2] ?? null;
    const problem = syntax.problem(value);
    if (problem !== undefined) return problem;
    read.set(keyword, value);
  }
  return read.seal();
}
