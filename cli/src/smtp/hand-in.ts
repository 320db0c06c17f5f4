import { encodeBase64, parseAddress } from "@mailhost/core";
import { RunTimeError, UsageError } from "../exit.ts";
import { type SmtpReply, offered } from "./client.ts";
import type { Connected } from "./connect.ts";

/** A message with its envelope, and how to hand it in. */
export interface HandIn {
  readonly reversePath: string;
  readonly recipients: readonly string[];
  readonly content: Uint8Array;
  readonly login: { readonly username: string; readonly password: string } | undefined;
  readonly starttls: boolean;
  /** Whether the password may travel: under TLS, or within this machine. */
  readonly confidential: boolean;
}

const heloName = "client.example";

/** Hands one message in (RFC 5321). Rejects with a RunTimeError when anybody is refused. */
export async function handIn({ client, secure }: Connected, what: HandIn): Promise<void> {
  expect(await client.reply(), 220);
  let ehlo = expect(await client.command(`EHLO ${heloName}`), 250);
  if (what.starttls) {
    if (offered(ehlo, "STARTTLS") === undefined) throw new RunTimeError("the server offers no STARTTLS");
    expect(await client.command("STARTTLS"), 220);
    await secure();
    ehlo = expect(await client.command(`EHLO ${heloName}`), 250);
  }
  if (what.login !== undefined) await logIn(client, ehlo, what);
  const mail = `MAIL FROM:<${what.reversePath}>${parameters(ehlo, what)}`;
  const refused: SmtpReply[] = [];
  for (let due = what.recipients; due.length > 0;) {
    expect(await client.command(mail), 250);
    due = await handInOnce(client, due, what.content, refused);
  }
  await client.command("QUIT");
  if (refused[0] !== undefined) expect(refused[0], 250);
}

/** One transaction. Resolves to the recipients that the server wants in the next one (452, RFC 5321 §4.5.3.1.10). */
async function handInOnce(
  client: Connected["client"],
  recipients: readonly string[],
  content: Uint8Array,
  refused: SmtpReply[],
): Promise<readonly string[]> {
  const next: string[] = [];
  let taken = 0;
  for (const recipient of recipients) {
    const reply = await client.command(`RCPT TO:<${recipient}>`);
    if (reply.code === 250) taken += 1;
    else if (reply.code === 452 && taken > 0) next.push(recipient);
    else refused.push(reply);
  }
  if (taken === 0) return [];
  expect(await client.command("DATA"), 354);
  expect(await client.body(content), 250);
  return next;
}

async function logIn(client: Connected["client"], ehlo: SmtpReply, { login, confidential }: HandIn): Promise<void> {
  if (login === undefined) return;
  const mechanisms = (offered(ehlo, "AUTH") ?? "").toUpperCase().split(" ");
  if (!mechanisms.includes("PLAIN"))
    throw new RunTimeError("the server offers no AUTH PLAIN here; most do under TLS only: --tls starttls");
  if (!confidential)
    throw new RunTimeError("a password does not travel in clear: use --tls starttls or --tls implicit");
  const response = encodeBase64(Buffer.from(`\0${login.username}\0${login.password}`));
  expect(await client.command(`AUTH PLAIN ${response}`, "AUTH PLAIN ***"), 235); // RFC 4616
}

/** Parameters of MAIL that the server offers and the message needs. */
function parameters(ehlo: SmtpReply, { reversePath, recipients, content }: HandIn): string {
  const words: string[] = [];
  if (offered(ehlo, "SIZE") !== undefined) words.push(`SIZE=${content.length}`); // RFC 1870
  if (content.some((octet) => octet > 127) && offered(ehlo, "8BITMIME") !== undefined) words.push("BODY=8BITMIME");
  if ([reversePath, ...recipients].some((address) => /[^ -~]/.test(address))) {
    if (offered(ehlo, "SMTPUTF8") === undefined) throw new RunTimeError("the server takes ASCII addresses only");
    words.push("SMTPUTF8"); // RFC 6531
  }
  return words.map((word) => ` ${word}`).join("");
}

function expect(reply: SmtpReply, code: number): SmtpReply {
  if (reply.code === code) return reply;
  throw new RunTimeError(`the server refused: ${reply.lines.at(-1) ?? ""}`);
}

/** Throws a UsageError unless it is an address. */
export function checkedAddress(given: string, flag: string): string {
  const address = given.replace(/^<(.*)>$/s, "$1");
  if (parseAddress(address) === undefined)
    throw new UsageError(`${flag}: ${JSON.stringify(given)} is no address like jane@example.com`);
  return address;
}
