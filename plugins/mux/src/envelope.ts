import type { AcceptedRecipient, Address, Opinion, Session, StoredMessage } from "@mailhost/core";

/** A recipient as a handler sees it. */
export interface EnvelopeRecipient extends AcceptedRecipient {
  /** What stands behind the first separator of the local part: `news` in `jane+news@example.com`. */
  readonly tag: string | undefined;
}

/** One message for a handler, with all of its recipients. Valid until the handler has settled. */
export interface Envelope {
  /** Queue id, as in the 250 the client gets. A retry has another one. */
  readonly id: string;
  /** `null` is the null reverse-path `<>`: never answer such a message automatically. */
  readonly reversePath: Address | null;
  /** In the order of RCPT. */
  readonly recipients: readonly EnvelopeRecipient[];
  readonly message: StoredMessage;
  /** Client address, identity, TLS, greeting. */
  readonly session: Session;
  /** Aborts when the time is up: the client has been told to try again. */
  readonly signal: AbortSignal;
  /** The whole message as text, read as UTF-8. For octets that must stay as they are use `message`. */
  text(): Promise<string>;
}

/**
 * Takes a message. Once it returns or resolves to nothing, the client gets 250: the message is the handler's now.
 * A refusal (`reject`, `defer`), returned or thrown, is sent. So is a thrown error whose `responseCode` is 45z or 55z,
 * with its message as text. Anything else is 451 and a line in the log.
 */
export type Handler = (envelope: Envelope) => Opinion | Promise<Opinion>;
