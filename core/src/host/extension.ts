import type { Command, Mechanism, Upgrade, AssumedClient } from "../protocol/machine.ts";
import type { ParameterSyntax } from "../protocol/parameters.ts";
import type { Reply } from "../protocol/reply.ts";
import type { Session, TransportKind } from "../protocol/session.ts";

/**
 * Vocabulary: what RFC 5321 §2.2 says a service extension is, plus SASL mechanisms, ways out,
 * and what may stand before or between commands.
 */
export interface Extension {
  /** EHLO keywords. The function gives the parameters, "" for none, or undefined to leave the line out. */
  readonly keywords?: Readonly<Record<string, (session: Session) => string | undefined>>;
  /** Verbs, made with `row` or `last`. */
  readonly verbs?: Readonly<Record<string, Command>>;
  readonly mailParameters?: Readonly<Record<string, ParameterSyntax>>;
  readonly rcptParameters?: Readonly<Record<string, ParameterSyntax>>;
  readonly mechanisms?: readonly Mechanism[];
  readonly transports?: readonly TransportDeclaration[];
  /** Asked before any row runs, upper-case verb given. A reply refuses the command (530 for required TLS or AUTH). */
  readonly gate?: (verb: string, session: Session) => Reply | undefined;
  /** Read before `connect`. One per listener. */
  readonly preamble?: Preamble;
  /** Transports this plugin's options route to: one that no plugin provides is a start-up error. */
  readonly routes?: readonly RouteDeclaration[];
  /** What of this plugin may permit recipients: for `mailhost check`. */
  readonly permits?: readonly PermitDeclaration[];
}

/** A way out. Recipients are routed to it by name; the `queue` tap of the same name carries it out. */
export interface TransportDeclaration {
  /** The plugin's own name unless told otherwise. */
  readonly name?: string;
  readonly kind: TransportKind;
  /** `two`: stage, then commit. `one`: the commit is the whole delivery and cannot be undone. */
  readonly phases: "one" | "two";
}

/** A transport that options name. */
export interface RouteDeclaration {
  readonly transport: string;
  /** Path within the plugin: `options.routes.*@example.com`. */
  readonly where: string;
}

/** Something that can permit a recipient, as `mailhost check` lists it. */
export interface PermitDeclaration {
  readonly kind: TransportKind;
  /** In words: `domain shop.test`, `network 192.0.2.0/24`, `function accept`. */
  readonly what: string;
  /** Anybody may use it for any domain. */
  readonly anyDomain?: boolean;
}

/** Implicit TLS, or octets read before the greeting (PROXY), at most `octets` of them. */
export type Preamble =
  | { readonly kind: "upgrade"; readonly upgrade: Upgrade }
  | {
      readonly kind: "read";
      readonly octets: number;
      /** How many octets were used and who the client is; undefined while incomplete; null hangs up. */
      readonly read: (
        octets: Uint8Array,
        session: Session,
      ) => { used: number; client: AssumedClient } | null | undefined;
    };
