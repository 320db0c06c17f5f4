import { randomUUID } from "node:crypto";
import type { Client, TlsInfo } from "@mailhost/core";
import PostalMime, { type Attachment, type Email } from "postal-mime";
import { findLinks } from "./links.ts";

/** The envelope of a message, and who handed it in. */
export interface Handover {
  /** Queue id, as in the 250. */
  readonly id: string;
  readonly receivedAt: Date;
  /** Reverse-path of the envelope; "" is the null one. Not the From field. */
  readonly from: string;
  /** Recipients of the envelope, Bcc too, in the order of RCPT. */
  readonly to: readonly string[];
  readonly client: Client & {
    /** What EHLO or HELO said. */
    readonly name: string;
  };
  /** What AUTH sent and was accepted. */
  readonly auth: { readonly username: string; readonly password: string } | undefined;
  /** Undefined in clear. */
  readonly tls: TlsInfo | undefined;
}

/** What became of the octets. */
interface Content {
  readonly email: Email | undefined;
  readonly error: unknown;
  readonly text: string;
}

/** A message as it arrived, in octets and parsed. */
export class InboxMessage implements Handover {
  readonly id: string;
  readonly receivedAt: Date;
  readonly from: string;
  readonly to: readonly string[];
  readonly client: Handover["client"];
  readonly auth: Handover["auth"];
  readonly tls: TlsInfo | undefined;
  /** Octet for octet what the client sent, without the dots of DATA: nothing was added. */
  readonly raw: Uint8Array;
  /** The text without the line ends behind it; of a message that has only HTML, that without its tags. */
  readonly text: string;
  readonly #content: Content;

  constructor(handover: Handover, raw: Uint8Array, content: Content) {
    this.id = handover.id;
    this.receivedAt = handover.receivedAt;
    this.from = handover.from;
    this.to = handover.to;
    this.client = handover.client;
    this.auth = handover.auth;
    this.tls = handover.tls;
    this.raw = raw;
    this.text = content.text.trimEnd();
    this.#content = content;
  }

  /** Header, texts and attachments, as postal-mime reads them. Throws what postal-mime threw when it could not. */
  get parsed(): Email {
    if (this.#content.email === undefined) throw this.#content.error;
    return this.#content.email;
  }

  get subject(): string {
    return this.#content.email?.subject ?? "";
  }

  /** The HTML without the line ends behind it. */
  get html(): string {
    return (this.#content.email?.html ?? "").trimEnd();
  }

  get attachments(): readonly Attachment[] {
    return this.#content.email?.attachments ?? [];
  }

  /** Where the links lead, of the HTML and then of the text, each once, in their order. */
  get links(): string[] {
    return findLinks(this.html, this.#content.email?.text ?? "");
  }

  /** Value of the first header field of that name, unfolded; "" when there is none. */
  header(name: string): string {
    return this.#content.email?.headers.find(({ key }) => key === name.toLowerCase())?.value ?? "";
  }
}

export async function readMessage(handover: Handover, raw: Uint8Array): Promise<InboxMessage> {
  try {
    const email = await PostalMime.parse(raw);
    const text = email.text ?? (await textOf(email.html ?? ""));
    return new InboxMessage(handover, raw, { email, error: undefined, text });
  } catch (error) {
    return new InboxMessage(handover, raw, { email: undefined, error, text: "" });
  }
}

/** postal-mime makes text of HTML where it has to join the two: so they are joined. */
async function textOf(html: string): Promise<string> {
  if (html === "") return "";
  const boundary = randomUUID();
  const joined = [
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    "",
    `--${boundary}`,
    "Content-Type: text/plain",
    "",
    "",
    `--${boundary}`,
    "Content-Type: text/html; charset=utf-8",
    "Content-Transfer-Encoding: 8bit",
    "",
    html,
    `--${boundary}--`,
    "",
  ];
  const { text = "" } = await PostalMime.parse(joined.join("\r\n"));
  return text.trimStart();
}
