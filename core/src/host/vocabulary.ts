import type { Command, Mechanism } from "../protocol/machine.ts";
import { baseCommands } from "../protocol/commands.ts";
import { asciiUpper } from "../protocol/octets.ts";
import { authParameter, mailParameters, type ParameterSyntax } from "../protocol/parameters.ts";
import type { Session } from "../protocol/session.ts";
import { parameterOctets } from "../protocol/syntax.ts";
import type { Extension, PermitDeclaration, Preamble, RouteDeclaration } from "./extension.ts";
import type { Health } from "./health.ts";
import type { Limits } from "./limits.ts";
import type { Problem } from "./problems.ts";
import type { Transport } from "./recipient.ts";
import { type Terms, VocabularyGuard } from "./vocabulary-guard.ts";

type Keyword = (session: Session) => string | undefined;

/** A row in force: the verb in upper case, and the longest line it may have, CRLF included. */
export interface Spoken {
  readonly verb: string;
  readonly command: Command;
  readonly octets: number;
}

/** Everything the plugins of one listener added to the language, and core's own. Every key comes from or goes to the wire: Maps. */
export class Vocabulary {
  readonly commands = new Map<string, Command>(baseCommands);
  readonly keywords = new Map<string, Keyword>();
  readonly mailParameters = new Map<string, ParameterSyntax>(mailParameters);
  readonly rcptParameters = new Map<string, ParameterSyntax>();
  readonly mechanisms = new Map<string, Mechanism>();
  readonly transports = new Map<string, Transport>();
  readonly gates: NonNullable<Extension["gate"]>[] = [];
  readonly permits: (PermitDeclaration & { readonly plugin: string })[] = [];
  readonly routes: (RouteDeclaration & { readonly plugin: string })[] = [];
  preamble: Preamble | undefined;
  readonly problems: Problem[] = [];
  /** Rows as they were asked for since the last extension. */
  readonly #spoken = new Map<string, Spoken>();
  /** The last of them: whoever writes to many says RCPT many times. */
  #last: Spoken | undefined;
  readonly #owners = new Map<string, string>();
  readonly #terms: Terms;
  readonly #limits: Limits;

  constructor(limits: Limits, terms: Terms) {
    this.#limits = limits;
    this.#terms = terms;
    const own: [string, Keyword][] = [
      ["PIPELINING", () => ""], // RFC 2920
      ["SIZE", () => String(limits.messageOctets)], // RFC 1870
      ["8BITMIME", () => ""], // RFC 6152
      ["SMTPUTF8", () => ""], // RFC 6531
      ["ENHANCEDSTATUSCODES", () => ""], // RFC 2034
    ];
    for (const [keyword, parameters] of own) this.#add("core", "keyword", this.keywords, keyword, parameters);
    for (const verb of baseCommands.keys()) this.#owners.set(`verb ${verb}`, "core");
    for (const name of mailParameters.keys()) this.#owners.set(`MAIL parameter ${name}`, "core");
  }

  extend(plugin: string, extension: Extension, health: Health): void {
    const guard = new VocabularyGuard(plugin, this.#terms, health);
    for (const [name, value] of Object.entries(extension.keywords ?? {}))
      this.#add(plugin, "keyword", this.keywords, name, guard.keyword(name, value));
    for (const [name, value] of Object.entries(extension.verbs ?? {}))
      this.#add(plugin, "verb", this.commands, name, guard.verb(name, value));
    for (const [name, value] of Object.entries(extension.mailParameters ?? {}))
      this.#add(plugin, "MAIL parameter", this.mailParameters, name, guard.parameter(name, value));
    for (const [name, value] of Object.entries(extension.rcptParameters ?? {}))
      this.#add(plugin, "RCPT parameter", this.rcptParameters, name, guard.parameter(name, value));
    for (const mechanism of extension.mechanisms ?? [])
      this.#add(plugin, "mechanism", this.mechanisms, mechanism.name, guard.mechanism(mechanism));
    for (const { name = plugin, kind, phases } of extension.transports ?? [])
      this.#own(plugin, `transport ${name}`, () => this.transports.set(name, { name, kind, phases, owner: plugin }));
    if (extension.gate !== undefined) this.gates.push(guard.gate(extension.gate));
    const { preamble } = extension;
    if (preamble !== undefined) this.#own(plugin, "preamble", () => (this.preamble = guard.preamble(preamble)));
    for (const route of extension.routes ?? []) this.routes.push({ ...route, plugin });
    for (const permit of extension.permits ?? []) this.permits.push({ ...permit, plugin });
    this.#spoken.clear();
    this.#last = undefined;
    if (this.mechanisms.size > 0) this.mailParameters.set("AUTH", authParameter); // RFC 4954 §5
  }

  #add<T>(plugin: string, what: string, to: Map<string, T>, name: string, value: T): void {
    const key = asciiUpper(name);
    this.#own(plugin, `${what} ${key}`, () => to.set(key, value));
  }

  #own(plugin: string, what: string, take: () => void): void {
    const owner = this.#owners.get(what);
    if (owner === undefined) {
      this.#owners.set(what, plugin);
      take();
      return;
    }
    this.problems.push({
      code: "TWO_OWNERS",
      where: "plugins",
      what: `${plugin} and ${owner} both provide ${what}`,
      mend: "Keep one of them on this listener.",
    });
  }

  /** Lines of the EHLO reply behind its first (RFC 5321 §4.1.1.1). */
  ehloLines(session: Session): string[] {
    const lines: string[] = [];
    for (const [keyword, parameters] of this.keywords) {
      const value = parameters(session);
      if (value !== undefined) lines.push(value === "" ? keyword : `${keyword} ${value}`);
    }
    const offered = [...this.mechanisms.values()].filter(
      (mechanism) => session.identity === undefined && mechanism.offered?.(session) !== false,
    );
    if (offered.length > 0) lines.push(`AUTH ${offered.map((mechanism) => mechanism.name).join(" ")}`); // RFC 4954 §3
    return lines;
  }

  /** The row of a verb, whatever the case it is written in. */
  spoken(word: string): Spoken | undefined {
    if (word !== this.#last?.verb) this.#last = this.#spoken.get(word) ?? this.#speak(asciiUpper(word));
    return this.#last;
  }

  #speak(verb: string): Spoken | undefined {
    const known = this.#spoken.get(verb);
    const command = this.commands.get(verb);
    if (known !== undefined || command === undefined) return known;
    const spoken: Spoken = { verb, command, octets: this.lineOctets(verb) };
    this.#spoken.set(verb, spoken);
    return spoken;
  }

  /** Longest line a verb may have, CRLF included (RFC 5321 §4.5.3.1.4). */
  lineOctets(verb: string): number {
    const { lineOctets, authLineOctets } = this.#limits;
    if (verb === "AUTH") return authLineOctets;
    const base = Math.max(lineOctets, this.commands.get(verb)?.octets ?? 0);
    if (verb === "MAIL") return base + parameterOctets(this.mailParameters);
    if (verb === "RCPT") return base + parameterOctets(this.rcptParameters);
    return base;
  }

  /** Longest line of all. */
  get longestLine(): number {
    return Math.max(...[...this.commands.keys()].map((verb) => this.lineOctets(verb)));
  }
}
