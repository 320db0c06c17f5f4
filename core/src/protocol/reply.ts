// The one writer of replies: nothing reaches the client that did not pass here.
import { encodeAscii } from "./octets.ts";

/** Enhanced status code, RFC 3463 §2: class, subject, detail. */
export type Status = `${2 | 4 | 5}.${number}.${number}`;

/**
 * What the server answers: RFC 5321 §4.2, with the enhanced status of RFC 2034 where there is one.
 * `text` holds one entry per line; a status, when present, stands on every line.
 */
export interface Reply {
  readonly code: number;
  readonly status?: Status | undefined;
  readonly text: string | readonly string[];
}

/** RFC 5321 §4.5.3.1.5: a reply line holds at most 512 octets, CRLF included. */
export const replyLineOctets = 512;

const statusPattern = /^[245]\.\d{1,3}\.\d{1,3}$/;
const printable = /^[\t\x20-\x7e]*$/;

/** Why this is not a reply one may send, or undefined when it is. */
export function replyProblem(reply: Reply): string | undefined {
  const { code, status, text } = reply;
  if (!Number.isInteger(code) || code < 200 || code > 599) return `code ${code} is not a reply code`;
  if (status !== undefined) {
    if (!statusPattern.test(status)) return `status ${JSON.stringify(status)} is not X.Y.Z`;
    // RFC 2034 §4: the class of the status is the first digit of the code
    if (Number(status[0]) !== Math.floor(code / 100)) return `status ${status} does not agree with code ${code}`;
  }
  const lines = typeof text === "string" ? [text] : text;
  if (lines.length === 0) return "a reply needs at least one line";
  for (const line of lines) {
    if (typeof line !== "string") return "the text of a reply is a string";
    if (!printable.test(line)) return `text ${JSON.stringify(line)} holds octets that are not printable ASCII`;
    // 334 carries a challenge, which RFC 4954 §4 lets grow to 12288 octets
    if (code !== 334 && prefixLength(status) + line.length + 2 > replyLineOctets)
      return "a reply line is over 512 octets";
  }
  return undefined;
}

const prefixLength = (status: Status | undefined): number => 4 + (status === undefined ? 0 : status.length + 1);

/** A checked reply. Throws a TypeError naming what is wrong: replies are made at start-up. */
export function makeReply(code: number, status: Status | undefined, text: string | readonly string[]): Reply {
  const reply: Reply = { code, status, text: typeof text === "string" ? text : Object.freeze([...text]) };
  const problem = replyProblem(reply);
  if (problem !== undefined) throw new TypeError(`not a reply: ${problem}`);
  return Object.freeze(reply);
}

/** Client octets made safe to stand in a reply text: printable ASCII, at most `most` characters. */
export function quotable(text: string, most = 64): string {
  const clean = text.replace(/[^\x20-\x7e]/g, "?");
  return clean.length > most ? `${clean.slice(0, most)}...` : clean;
}

/** The lines as they go on the wire, without CRLF. */
export function replyLines(reply: Reply): string[] {
  const lines = typeof reply.text === "string" ? [reply.text] : reply.text;
  const status = reply.status === undefined ? "" : `${reply.status} `;
  return lines.map((line, index) => {
    if (index < lines.length - 1) return `${reply.code}-${status}${line}`;
    // RFC 5321 §4.2: no blank where no text follows; RFC 4954 §4 wants it behind 334
    const blank = status === "" && line === "" && reply.code !== 334 ? "" : " ";
    return `${reply.code}${blank}${status}${line}`;
  });
}

/** A string always is. */
const isSettled = (reply: Reply): boolean => Object.isFrozen(reply) && Object.isFrozen(reply.text);

const traced = new WeakMap<Reply, readonly string[]>();

/** The lines for those who watch, who see most replies again and again: of one that can no longer change they are made once. */
export function tracedLines(reply: Reply): readonly string[] {
  const known = traced.get(reply);
  if (known !== undefined) return known;
  const lines = replyLines(reply);
  if (isSettled(reply)) traced.set(reply, lines);
  return lines;
}

const encoded = new WeakMap<Reply, Uint8Array>();

/** The octets of a reply. One that can no longer change is encoded once; throws on what `replyProblem` names. */
export function encodeReply(reply: Reply): Uint8Array {
  const known = encoded.get(reply);
  if (known !== undefined) return known;
  const problem = replyProblem(reply);
  if (problem !== undefined) throw new TypeError(`not a reply: ${problem}`);
  const octets = encodeAscii(`${replyLines(reply).join("\r\n")}\r\n`);
  if (isSettled(reply)) encoded.set(reply, octets);
  return octets;
}
