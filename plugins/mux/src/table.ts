import { type Address, ConfigurationError, type Problem, type Route, nearest } from "@mailhost/core";
import type { Handler } from "./envelope.ts";
import { type Form, canonicalLocalPart } from "./form.ts";
import { type MuxOptions, type Target, isTarget } from "./options.ts";
import { canonical, readPattern } from "./pattern.ts";

/** A pattern with its target, as configured. */
export interface Entry {
  readonly pattern: string;
  readonly target: Target;
  /** Path for problems. */
  readonly where: string;
}

/** What the patterns say of an address. */
export interface Found {
  /** Undefined when no pattern has this address. */
  readonly route: Route | undefined;
  /** The domain is named by a pattern. */
  readonly known: boolean;
}

interface Domain {
  readonly form: Form;
  readonly localParts: Map<string, Route>;
  every: Route | undefined;
}

/** Patterns by domain, then by local part. Keys meet what the wire says: Maps. */
export class Table {
  /** Functions by the first pattern that names them, which is their nexthop. */
  readonly handlers = new Map<string, Handler>();
  readonly #domains = new Map<string, Domain>();
  readonly #rest: Domain;
  readonly #forms: ReadonlyMap<string, Form>;
  readonly #form: Form;
  readonly #fallthrough: boolean;
  readonly #transport: string;

  /** Throws a ConfigurationError with everything that is wrong. `transport` is the name functions are called under. */
  constructor(entries: readonly Entry[], options: MuxOptions, transport: string) {
    const problems: Problem[] = [];
    const { caseSensitive, ignoreDots, separator } = options;
    this.#form = { caseSensitive, ignoreDots, separator };
    this.#rest = this.#makeDomain(this.#form);
    this.#fallthrough = options.fallthrough === true;
    this.#transport = transport;
    this.#forms = readForms(options.perDomain ?? {}, this.#form, problems);
    for (const entry of entries) this.#add(entry, problems);
    problems.push(...this.#unusedForms(options.perDomain ?? {}));
    if (entries.length === 0) problems.push(noRoute);
    if (problems.length > 0) throw new ConfigurationError(problems);
  }

  /** Domains that patterns name. */
  get domains(): readonly string[] {
    return [...this.#domains.keys()];
  }

  /** Some pattern has `*` for its domain. */
  get hasEveryDomain(): boolean {
    return this.#rest.every !== undefined || this.#rest.localParts.size > 0;
  }

  /** Domain first (exact, else `*`), then local part (exact, without its tag, else `*`). */
  find({ localPart, domain }: Address): Found {
    const own = this.#domains.get(domain);
    if (own === undefined) return { route: lookUp(this.#rest, localPart), known: false };
    const route = lookUp(own, localPart) ?? (this.#fallthrough ? lookUp(this.#rest, localPart) : undefined);
    return { route, known: true };
  }

  /** How local parts of a domain are compared. */
  formOf(domain: string): Form {
    return this.#forms.get(domain) ?? this.#form;
  }

  #makeDomain(form: Form): Domain {
    return { form, localParts: new Map(), every: undefined };
  }

  #add({ pattern, target, where }: Entry, problems: Problem[]): void {
    const bad = (what: string, mend: string, code: Problem["code"] = "BAD_OPTION"): void =>
      void problems.push({ code, where, what, mend });
    const read = readPattern(pattern);
    if (typeof read === "string") return bad(`pattern ${JSON.stringify(pattern)}: ${read}`, patternMend);
    if (!isTarget(target)) return bad(`pattern ${pattern} has no target`, targetMend);
    const route = this.#routeOf(pattern, target);
    if (typeof target !== "function" && route.transport === this.#transport)
      return bad(`pattern ${pattern} leads to ${this.#transport} itself`, targetMend);
    const domain = this.#domainOf(read.domain);
    const key = read.localPart === undefined ? undefined : canonicalLocalPart(read.localPart, domain.form).whole;
    const taken = key === undefined ? domain.every : domain.localParts.get(key);
    if (taken !== undefined) return bad(`pattern ${pattern} stands twice`, "Keep one of them.", "DUPLICATE_NAME");
    if (key === undefined) domain.every = route;
    else domain.localParts.set(key, route);
  }

  #domainOf(name: string | undefined): Domain {
    if (name === undefined) return this.#rest;
    const domain = this.#domains.get(name) ?? this.#makeDomain(this.formOf(name));
    this.#domains.set(name, domain);
    return domain;
  }

  /** The same function is the same call, under however many patterns. */
  #routeOf(pattern: string, target: Target): Route {
    if (typeof target === "string") return { transport: target };
    if (typeof target === "object") return target;
    const known = [...this.handlers].find(([, handler]) => handler === target)?.[0];
    if (known === undefined) this.handlers.set(pattern, target);
    return { transport: this.#transport, nexthop: known ?? pattern };
  }

  #unusedForms(perDomain: Readonly<Record<string, Form>>): Problem[] {
    return Object.keys(perDomain).flatMap((name): Problem[] => {
      const domain = canonical(name);
      if (domain === undefined || this.#domains.has(domain)) return [];
      const near = nearest(domain, this.domains);
      const mend = near === undefined ? `Add a pattern such as *@${domain}.` : `Did you mean ${near}?`;
      return [{ code: "BAD_OPTION", where: `options.perDomain.${name}`, what: `no pattern names ${name}`, mend }];
    });
  }
}

function lookUp({ form, localParts, every }: Domain, localPart: string): Route | undefined {
  if (localParts.size === 0) return every;
  const { whole, base } = canonicalLocalPart(localPart, form);
  return localParts.get(whole) ?? localParts.get(base) ?? every;
}

function readForms(
  perDomain: Readonly<Record<string, Form>>,
  general: Form,
  problems: Problem[],
): ReadonlyMap<string, Form> {
  const forms = new Map<string, Form>();
  for (const [name, form] of Object.entries(perDomain)) {
    const where = `options.perDomain.${name}`;
    const domain = canonical(name);
    if (domain === undefined)
      problems.push({ code: "BAD_OPTION", where, what: `${JSON.stringify(name)} is no domain`, mend: "Use one." });
    else if (forms.has(domain))
      problems.push({ code: "DUPLICATE_NAME", where, what: `${domain} stands twice`, mend: "Keep one of them." });
    else forms.set(domain, { ...general, ...form });
  }
  return forms;
}

const patternMend = "Write local@domain, with * for the whole of either part: sales@example.com, *@example.com, *@*.";
const targetMend = "Give the name of a transport, { transport, nexthop } or a function.";

const noRoute: Problem = {
  code: "NO_HANDLER",
  where: "",
  what: "mux has no route, so it takes no message",
  mend: 'Add one: mux({ routes: { "*@example.com": "maildir" } }) or .handle("*@example.com", (envelope) => { … }).',
};
