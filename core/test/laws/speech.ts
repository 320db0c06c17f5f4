import type { Rules, Utterance } from "./model.ts";

/** Who may log in. */
export const account = { username: "jane", password: "open" };

const plain = (password: string, authzid = ""): string =>
  Buffer.from(`${authzid}\0${account.username}\0${password}`).toString("base64");

const body = "Subject: a law\r\n\r\nText\r\n..a line that begins with a dot\r\n.\r\n";

/**
 * What a client sends for each utterance, one character per octet. What stands behind the first piece is sent
 * only where a 3yz asked for it.
 */
export const speech: Readonly<Record<Utterance, readonly [string, ...string[]]>> = {
  EHLO: ["EHLO client.test\r\n"],
  HELO: ["HELO client.test\r\n"],
  "EHLO without a name": ["EHLO\r\n"],
  MAIL: ["MAIL FROM:<jane@example.com>\r\n"],
  "MAIL from nobody": ["mail from:<>\r\n"],
  "MAIL in bad syntax": ["MAIL FROM:<jane@>\r\n"],
  "MAIL with an unknown parameter": ["MAIL FROM:<jane@example.com> XFOO=1\r\n"],
  "MAIL too big": ["MAIL FROM:<jane@example.com> SIZE=99999999999\r\n"],
  RCPT: ["RCPT TO:<joe@example.com>\r\n"],
  "RCPT another": ["Rcpt to:<jack@example.com>\r\n"],
  "RCPT refused": ["RCPT TO:<refused@example.com>\r\n"],
  "RCPT in bad syntax": ["RCPT TO:<joe@example.com\r\n"],
  DATA: ["DATA\r\n", body],
  "DATA that a plugin refuses": ["DATA\r\n", `X-Refuse: this\r\n${body}`],
  "DATA with a lone LF": ["DATA\r\n", `X-Lone: yes\n${body}`],
  "DATA with an argument": ["DATA now\r\n"],
  RSET: ["RSET\r\n"],
  "RSET with an argument": ["RSET now\r\n"],
  NOOP: ["NOOP\r\n"],
  VRFY: ["VRFY joe\r\n"],
  "VRFY nothing": ["VRFY\r\n"],
  EXPN: ["EXPN staff\r\n"],
  HELP: ["HELP\r\n"],
  AUTH: [`AUTH PLAIN ${plain(account.password)}\r\n`],
  "AUTH in two steps": ["auth plain\r\n", `${plain(account.password)}\r\n`],
  "AUTH wrong": [`AUTH PLAIN ${plain("shut")}\r\n`],
  "AUTH for somebody else": [`AUTH PLAIN ${plain(account.password, "joe")}\r\n`],
  "AUTH cancelled": ["AUTH PLAIN\r\n", "*\r\n"],
  "AUTH not base64": ["AUTH PLAIN ???\r\n"],
  "AUTH by an unknown mechanism": ["AUTH XFOO\r\n"],
  STARTTLS: ["STARTTLS\r\n"],
  "STARTTLS with an argument": ["STARTTLS now\r\n"],
  "STARTTLS and more at once": ["STARTTLS\r\nNOOP\r\n"],
  "unknown verb": ["XFOO\r\n"],
  "empty line": ["\r\n"],
  "line too long": [`NOOP ${"x".repeat(13_000)}\r\n`],
  "line without CR": ["NOOP\n"],
  QUIT: ["QUIT\r\n"],
  "QUIT with an argument": ["QUIT now\r\n"],
};

/** The client sends the next piece when it was asked for one. */
export const asksForMore = (code: string | undefined): boolean => code?.startsWith("3") === true;

const unbounded = { errors: Infinity, unknownCommands: Infinity, authFailures: Infinity };
const bounded = { errors: 3, unknownCommands: 2, authFailures: 2 };
const transfer = { needsTls: false, needsAuth: false, mends: false };
const submission = { needsTls: true, needsAuth: true, mends: true };

/** A server on port 25, and one for submission under TLS. */
export const openHouse: Rules = { ...unbounded, ...transfer };
export const strictHouse: Rules = { ...unbounded, ...submission };

/** The servers the model is compared with. */
export const houses: Readonly<Record<string, Rules>> = {
  transfer: openHouse,
  submission: strictHouse,
  "transfer with small limits": { ...bounded, ...transfer },
  "submission with small limits": { ...bounded, ...submission },
};
