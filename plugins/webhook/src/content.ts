import { randomBytes } from "node:crypto";
import { type Delivery, type Session, type StoredMessage, formatAddress } from "@mailhost/core";
import type { Email } from "postal-mime";

/** What is POSTed. Every try opens it anew. */
export interface Content {
  readonly type: string;
  readonly octets: number;
  open(): AsyncIterable<Uint8Array>;
}

/** The envelope as an endpoint gets it, beside the message. */
export interface WebhookEnvelope {
  /** Queue id, as in the 250 the client gets. A message that is sent again has another one. */
  readonly id: string;
  /** ISO 8601. */
  readonly receivedAt: string;
  /** Name the plugin stands under. */
  readonly transport: string;
  readonly nexthop: string | null;
  /** `null` is the null reverse-path `<>`: never answer such a message automatically. */
  readonly reversePath: string | null;
  /** In the order of RCPT. */
  readonly recipients: readonly string[];
  readonly smtputf8: boolean;
  readonly listener: string;
  readonly client: {
    readonly address: string;
    /** What EHLO or HELO said; never checked. */
    readonly greeting: string | null;
    /** Name of who logged in. */
    readonly identity: string | null;
    readonly tls: boolean;
  };
}

/** What a request holds with `format: "json"`. */
export interface WebhookBody {
  readonly envelope: WebhookEnvelope;
  /** As postal-mime reads it, attachments in base64. */
  readonly message: Omit<Email, "headerLines" | "returnPath" | "deliveredTo">;
}

export const makeEnvelope = (
  delivery: Delivery,
  session: Session,
  transport: string,
  now: number,
): WebhookEnvelope => ({
  id: delivery.id,
  receivedAt: new Date(now).toISOString(),
  transport,
  nexthop: delivery.recipients[0]?.route.nexthop ?? null,
  reversePath: delivery.reversePath === null ? null : formatAddress(delivery.reversePath),
  recipients: delivery.recipients.map(({ address }) => formatAddress(address)),
  smtputf8: delivery.transaction.smtputf8,
  listener: session.listener,
  client: {
    address: session.client.address,
    greeting: session.greeting?.name ?? null,
    identity: session.identity?.name ?? null,
    tls: session.tls !== undefined,
  },
});

/** multipart/form-data (RFC 7578) with the parts `envelope` and `message`; the message byte for byte, never in memory as a whole. */
export function rawContent(envelope: WebhookEnvelope, message: StoredMessage): Content {
  // 128 random bits stand in no message
  const boundary = `mailhost-${randomBytes(16).toString("hex")}`;
  const part = (name: string, type: string): string =>
    `--${boundary}\r\nContent-Disposition: form-data; name=${name}\r\nContent-Type: ${type}\r\n\r\n`;
  const before = Buffer.from(
    `${part('"envelope"', "application/json")}${JSON.stringify(envelope)}\r\n${part('"message"; filename="message.eml"', "message/rfc822")}`,
  );
  const behind = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    octets: before.length + message.octets + behind.length,
    async *open() {
      yield before;
      yield* message.open();
      yield behind;
    },
  };
}

/** `{ "envelope": …, "message": … }`; `parsed` is JSON already. */
export function jsonContent(envelope: WebhookEnvelope, parsed: Uint8Array): Content {
  const body = Buffer.concat([
    Buffer.from(`{"envelope":${JSON.stringify(envelope)},"message":`),
    parsed,
    Buffer.from("}"),
  ]);
  return {
    type: "application/json",
    octets: body.length,
    async *open() {
      yield body;
    },
  };
}
