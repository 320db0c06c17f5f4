import {
  type Opinion,
  canonicalDomain,
  canonicalLiteral,
  isEverybody,
  networkProblem,
  parseAddress,
} from "@mailhost/core";
import * as v from "valibot";

/**
 * Asked for every recipient. `user` is the identity's name, undefined for a stranger; `address` is canonical:
 * domain in lower-case A-labels, local part as the client wrote it. `false` refuses. `true` permits local, and
 * relay too for an identity. Nothing leaves it to the other options. A refusal made with `reject` or `defer` is sent.
 */
export type Accept = (user: string | undefined, address: string) => boolean | Opinion | Promise<boolean | Opinion>;

export interface AddressableOptions {
  /** Domains mail is taken for, local and as their gateway. `*.example.com` is every subdomain, not `example.com`. */
  readonly domains?: readonly string[] | undefined;
  /** Addresses mail is taken for. Other addresses of a domain that only stands here are refused. */
  readonly addresses?: readonly string[] | undefined;
  /** What separates a tag from the local part in `addresses` and `senders`; `+` unless told otherwise, `""` for no tags. */
  readonly separator?: string | undefined;
  readonly accept?: Accept | undefined;
  /** Who may send to every domain; nobody unless told otherwise. */
  readonly relay?:
    | {
        /** Clients that authenticated. */
        readonly identities?: boolean | undefined;
        /** Addresses and networks of clients, in CIDR notation. */
        readonly networks?: readonly string[] | undefined;
      }
    | undefined;
  /** Addresses (`jane@example.com`, `*@example.com`) an identity may send from. Given, an identity may use no other. */
  readonly senders?: Readonly<Record<string, readonly string[]>> | undefined;
  /** Permits everything, to be stored here: for development. */
  readonly catchAll?: boolean | undefined;
}

/** The canonical form of a domain or a literal in brackets. */
export const canonical = (text: string): string | undefined => canonicalDomain(text) ?? canonicalLiteral(text);

/** `*.` and at least two labels: `*.com` would name everybody's domains. */
function canonicalWildcard(text: string): string | undefined {
  if (!text.startsWith("*.")) return undefined;
  const parent = canonicalDomain(text.slice(2));
  return parent?.includes(".") === true ? `*.${parent}` : undefined;
}

const said = (value: unknown): string => JSON.stringify(value);

const domain = v.pipe(
  v.string(),
  v.check(
    (text) => (canonical(text) ?? canonicalWildcard(text)) !== undefined,
    ({ input }) => `${said(input)} is no domain like example.com or *.example.com`,
  ),
  v.transform((text) => canonical(text) ?? canonicalWildcard(text) ?? text),
);

const address = v.pipe(
  v.string(),
  v.check(
    (text) => parseAddress(text) !== undefined && !text.startsWith("*@"),
    ({ input }) => `${said(input)} is no address like jane@example.com`,
  ),
);

const sender = v.pipe(
  v.string(),
  v.check(
    (text) => parseAddress(text) !== undefined,
    ({ input }) => `${said(input)} is no address like jane@example.com or *@example.com`,
  ),
);

const network = v.pipe(
  v.string(),
  v.check(
    (text) => networkProblem(text) === undefined,
    ({ input }) => networkProblem(input) ?? "no network",
  ),
  v.check(
    (text) => networkProblem(text) !== undefined || !isEverybody(text),
    ({ input }) => `${input} is nearly everybody: that is an open relay`,
  ),
);

/** Characters of a dot-string that neither letters, digits, dots nor patterns need. */
const separator = v.pipe(
  v.string(),
  v.regex(/^[!#$%&'+\-/=?^_`{|}~]*$/, ({ input }) => `${said(input)} cannot separate a tag: use + or -`),
);

const isFunction = (value: unknown): boolean => typeof value === "function";

export const schema = v.strictObject({
  domains: v.optional(v.array(domain)),
  addresses: v.optional(v.array(address)),
  separator: v.optional(separator),
  accept: v.optional(v.custom<Accept>(isFunction, "accept is no function (user, address) => true or false")),
  relay: v.optional(v.strictObject({ identities: v.optional(v.boolean()), networks: v.optional(v.array(network)) })),
  senders: v.optional(v.record(v.string(), v.array(sender))),
  catchAll: v.optional(v.boolean()),
});
