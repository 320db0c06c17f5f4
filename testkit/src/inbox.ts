import { type BareLineEnds, type Limits, type Plugin, parseAddress } from "@mailhost/core";
import type { KeyPair } from "./inbox/certificate.ts";
import type { Fault, ScriptedFault } from "./inbox/faults.ts";
import { checkKeys } from "./inbox/keys.ts";
import { type Filter, describeMessage, readFilter } from "./inbox/mailbox.ts";
import type { InboxMessage } from "./inbox/message.ts";
import { PostOffice } from "./inbox/post-office.ts";
import type { AuthOptions, TlsMode } from "./inbox/security-plugin.ts";

export type { KeyPair } from "./inbox/certificate.ts";
export type { Fault, FaultPoint, ScriptedFault } from "./inbox/faults.ts";
export { InboxTimeoutError } from "./inbox/journal.ts";
export type { Filter } from "./inbox/mailbox.ts";
export type { Match } from "./inbox/match.ts";
export type { InboxMessage } from "./inbox/message.ts";
export type { AuthOptions, TlsMode } from "./inbox/security-plugin.ts";

/** An inbox for a test; `{}` is one in clear that takes everything. */
export interface InboxOptions {
  /** Any free port unless told otherwise. */
  readonly port?: number;
  /** 127.0.0.1 unless told otherwise. */
  readonly host?: string;
  /** Domain of `address()`; example.com unless told otherwise. */
  readonly domain?: string;
  /** `true` is "starttls". In clear only, unless told otherwise. */
  readonly tls?: boolean | TlsMode;
  /** A self-signed one for localhost, 127.0.0.1 and ::1 unless told otherwise. */
  readonly certificate?: KeyPair;
  /** `true` takes any name with any password. Not offered unless told otherwise. */
  readonly auth?: boolean | AuthOptions;
  /** Milliseconds `next()` waits; 4000 unless told otherwise: runners give a test 5000. */
  readonly timeout?: number;
  /** Addresses may name faults: `temperror@`, `rcptto-451@`. */
  readonly localPartFaults?: boolean;
  /** As in `mailhost()`: `{ messageOctets: 1000, recipients: 2 }`. */
  readonly limits?: Partial<Limits>;
  /** A lone CR or LF in a message; normalised unless told otherwise. */
  readonly bareLineEnds?: BareLineEnds;
  /** More of mailhost's plugins, in front of the inbox's own. */
  readonly plugins?: readonly Plugin[];
}

/** A real SMTP server on a port of its own, and what it received. */
export class Inbox {
  readonly host: string;
  readonly port: number;
  /** `smtp://127.0.0.1:40123`; `smtps://` with implicit TLS. */
  readonly url: string;
  /** PEM: what clients must trust. Undefined without TLS. */
  readonly certificate: string | undefined;
  readonly #office: PostOffice;
  readonly #domain: string;
  readonly #timeout: number;
  #closed: Promise<void> | undefined;

  /** @internal `inbox()` makes one. */
  constructor(office: PostOffice, certificate: string | undefined, implicit: boolean, domain: string, timeout: number) {
    this.#office = office;
    this.#domain = domain;
    this.#timeout = timeout;
    const { address, port, family } = office.address;
    this.host = address;
    this.port = port;
    this.certificate = certificate;
    this.url = `${implicit ? "smtps" : "smtp"}://${family === "IPv6" ? `[${address}]` : address}:${port}`;
  }

  /** An address nobody has had: `signup.4f7k2m1c-1x@example.com`. Every other address works too. Throws a TypeError when it would be none. */
  address(name = "box"): string {
    made += 1;
    // Ends with a letter, so that it never names a fault
    const address = `${name}.${processId}-${made}x@${this.#domain}`;
    if (parseAddress(address) === undefined) throw new TypeError(`${JSON.stringify(address)} would be no address`);
    return address;
  }

  /**
   * The first message that fits and that nobody has taken, waiting for it where need be. A message is taken once for each
   * of its recipients. Rejects with an InboxTimeoutError that lists what came instead; with an Error when the inbox closes;
   * with a TypeError on a filter that can mean nothing.
   */
  next(filter: Filter & { readonly timeout?: number } = {}): Promise<InboxMessage> {
    return handled(this.#next(filter));
  }

  async #next({ timeout = this.#timeout, ...filter }: Filter & { readonly timeout?: number }): Promise<InboxMessage> {
    const wanted = readFilter(filter);
    const message = await this.#office.mailbox.wait(wanted, timeout, true);
    if (message !== undefined) return message;
    throw this.#office.journal.timeout(wanted, timeout, this.#office.mailbox.describe());
  }

  /**
   * Resolves when nothing that fits, and that nobody has taken, has come within so many milliseconds, 100 unless told otherwise.
   * Rejects as soon as something has.
   */
  none(filter: Filter & { readonly within?: number } = {}): Promise<void> {
    return handled(this.#none(filter));
  }

  async #none({ within = 100, ...filter }: Filter & { readonly within?: number }): Promise<void> {
    const message = await this.#office.mailbox.wait(readFilter(filter), within, false);
    if (message !== undefined) throw new Error(`a message came that should not have: ${describeMessage(message)}`);
  }

  /** What has come and fits, taken or not, in order. Throws a TypeError on a filter that can mean nothing. */
  messages(filter: Filter = {}): InboxMessage[] {
    return this.#office.mailbox.messages(readFilter(filter));
  }

  /** Makes something go wrong until it is removed or used up. Throws a TypeError on a fault that cannot happen. */
  fault(fault: Fault): ScriptedFault {
    return this.#office.faults.add(fault);
  }

  /** Forgets the messages that fit; without a filter all of them and all faults. */
  clear(filter?: Filter): void {
    const { mailbox, faults, journal } = this.#office;
    mailbox.remove(readFilter(filter ?? {}));
    if (filter !== undefined) return;
    faults.clear();
    journal.clear();
  }

  /** Hangs up on everybody, in the middle of delays too. Whoever still waits is told; what came can still be read. */
  close(): Promise<void> {
    this.#closed ??= this.#office.close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

let made = 0;
const processId = Math.random().toString(36).slice(2, 10);

/** A test that fails before it awaits must fail with its own error, not with an unhandled rejection behind it. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

const modes = ["starttls", "required", "implicit"];

function tlsMode(tls: InboxOptions["tls"]): TlsMode | undefined {
  if (typeof tls === "string" && !modes.includes(tls))
    throw new TypeError(`tls is true or one of ${modes.join(", ")}, not ${tls}`);
  return tls === true ? "starttls" : tls === false ? undefined : tls;
}

const authOptions = (auth: InboxOptions["auth"]): AuthOptions | undefined =>
  auth === true ? {} : auth === false ? undefined : auth;

const optionKeys = [
  "port",
  "host",
  "domain",
  "tls",
  "certificate",
  "auth",
  "timeout",
  "localPartFaults",
  "limits",
  "bareLineEnds",
  "plugins",
];

/**
 * Opens an inbox. Rejects with the error of `net` when the port is not to be had, with mailhost's ConfigurationError,
 * and with a TypeError on an option that is none.
 */
export async function inbox(options: InboxOptions = {}): Promise<Inbox> {
  checkKeys(options, optionKeys, "inbox()");
  const { port = 0, host = "127.0.0.1", domain = "example.com", timeout = 4000 } = options;
  const tls = tlsMode(options.tls);
  const office = new PostOffice({
    port,
    host,
    tls,
    certificate: options.certificate,
    auth: authOptions(options.auth),
    localPartFaults: options.localPartFaults === true,
    limits: options.limits ?? {},
    bareLineEnds: options.bareLineEnds ?? "normalize",
    plugins: options.plugins ?? [],
  });
  const certificate = await office.open();
  return new Inbox(office, certificate, tls === "implicit", domain, timeout);
}
