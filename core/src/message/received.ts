import { formatAddress } from "../protocol/address.ts";
import type { Session, Transaction } from "../protocol/session.ts";
import { type Field } from "./header.ts";
import { makeField } from "./message.ts";

/** A date as RFC 5322 §3.3 writes it, in UTC. */
export const formatDate = (milliseconds: number): string =>
  new Date(milliseconds).toUTCString().replace("GMT", "+0000");

/** The `with` word: RFC 3848 by session, RFC 6531 §4.3 by the SMTPUTF8 parameter of the transaction. */
export function withProtocol(session: Session, smtputf8: boolean): string {
  const base = smtputf8 ? "UTF8SMTP" : session.greeting?.extended === true ? "ESMTP" : "SMTP";
  if (base === "SMTP") return base;
  return `${base}${session.tls === undefined ? "" : "S"}${session.identity === undefined ? "" : "A"}`;
}

/** The field core puts on every message, RFC 5321 §4.4. Built from parsed values only. */
export function receivedField(session: Session, transaction: Transaction, at: number): Field {
  const ip = session.client.address;
  const literal = ip.includes(":") ? `[IPv6:${ip}]` : `[${ip}]`;
  const only = transaction.recipients.length === 1 ? transaction.recipients[0] : undefined;
  const lines = [
    `from ${fromDomain(session.greeting?.name ?? "", literal)}`,
    `by ${session.serverName} with ${withProtocol(session, transaction.smtputf8)} id ${transaction.id}`,
    // The only recipient alone: several would tell each of the others (RFC 5321 §7.6)
    ...(only === undefined ? [] : [`for <${formatAddress(only.address)}>`]),
  ];
  return makeField("Received", `${lines.join("\r\n\t")};\r\n\t${formatDate(at)}`);
}

/** The EHLO name where it can stand as a domain; in a comment, escaped, where it cannot. */
function fromDomain(name: string, literal: string): string {
  if (/^[A-Za-z0-9._-]+$/.test(name) || /^\[[A-Za-z0-9:.]+\]$/.test(name)) return `${name} (${literal})`;
  return `${literal} (helo=${commentText(name)})`;
}

const commentText = (text: string): string => text.replace(/[^\x21-\x7e]/g, "?").replace(/[()\\]/g, "\\$&");
