import type { Address } from "./address.ts";
import type { Parameters } from "./parameters.ts";

/** Port 25 between servers, or 587 and 465 for programs that hand in mail (RFC 6409). */
export type ListenerMode = "transfer" | "submission";

/** What EHLO or HELO said. */
export interface Greeting {
  /** The name as the client wrote it: any token, never checked, never trusted. */
  readonly name: string;
  /** EHLO, not HELO. */
  readonly extended: boolean;
}

/** Who AUTH proved the client to be. */
export interface Identity {
  readonly name: string;
}

/** The other end of the connection. Addresses are textual, IPv4-mapped ones written as IPv4. */
export interface Client {
  readonly address: string;
  readonly port: number;
}

/** What is known of the TLS layer. */
export interface TlsInfo {
  /** As Node names it: `TLSv1.2`, `TLSv1.3`. */
  readonly protocol: string;
  readonly cipher: string;
  /** SNI, as the client sent it. */
  readonly servername?: string | undefined;
}

/** From 220 to QUIT, or from one TLS handshake or assumed client to the next. Plugins read it. */
export interface Session {
  /** The same for every log line of one connection. */
  readonly id: string;
  /** Name the server goes by on this listener. */
  readonly serverName: string;
  readonly mode: ListenerMode;
  readonly listener: string;
  readonly client: Client;
  readonly local: Client;
  readonly greeting: Greeting | undefined;
  readonly tls: TlsInfo | undefined;
  readonly identity: Identity | undefined;
  /** The client spoke before the 220 (RFC 5321 §4.3.1). */
  readonly spokeEarly: boolean;
  /** It is only played (`mailhost try`, `mailhost check`): nothing is delivered, and whoever counts leaves it out. */
  readonly dryRun: boolean;
  /** Milliseconds since the epoch, from the host's clock. */
  readonly startedAt: number;
}

/** What AUTH sent: a password, an opaque token, or a name the mechanism itself has proved. */
export type SentCredentials =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  | { readonly kind: "token"; readonly username: string; readonly token: string }
  | { readonly kind: "proven"; readonly username: string };

/** Stored here, or passed on to another host. */
export type TransportKind = "local" | "relay";

/** How a recipient's copy leaves: the transport, and where it is to take it. */
export interface Route {
  readonly transport: string;
  readonly nexthop?: string | undefined;
}

/** A forward-path with its parameters, as RCPT wrote it; `<postmaster>` has the server's name as domain. */
export interface ForwardPath {
  readonly address: Address;
  readonly parameters: Parameters;
}

/** A recipient that was answered 250. */
export interface AcceptedRecipient extends ForwardPath {
  readonly kind: TransportKind;
  readonly route: Route;
}

/** From MAIL to the end of data. */
export interface Transaction {
  /** Queue id, as in the 250 and in Received. */
  readonly id: string;
  /** `null` is the null reverse-path `<>`. */
  readonly reversePath: Address | null;
  readonly parameters: Parameters;
  /** The client said SMTPUTF8 (RFC 6531 §3.4). */
  readonly smtputf8: boolean;
  readonly recipients: readonly AcceptedRecipient[];
}
