/** A reply as it stood on the wire. */
export interface ReadReply {
  readonly code: string;
  readonly lines: readonly string[];
}

/** RFC 5321 §4.2: Reply-code. */
const replyLine = /^([2-5][0-5][0-9])(?:([ -])([\t\x20-\x7e]*))?$/;

/** The greeting, 334, 354 and the 250 to EHLO and HELO have no enhanced status (RFC 2034, docs/protocol.md). */
const without = new Set(["220", "250", "334", "354"]);

/**
 * Reads what a server sent, by the grammar of RFC 5321 §4.2 and nothing looser. Throws with the line that breaks it.
 * Everything must be whole: the last octets are a CRLF behind the last line of a reply.
 */
export function readReplies(text: string, { withoutStatus = false } = {}): ReadReply[] {
  if (text === "") return [];
  if (!text.endsWith("\r\n")) throw broken("the end is no CRLF", text.slice(-80));
  const replies: ReadReply[] = [];
  let lines: string[] = [];
  let open: string | undefined;
  for (const line of text.slice(0, -2).split("\r\n")) {
    const matched = replyLine.exec(line);
    const [, code = "", separator = " ", words = ""] = matched ?? [];
    if (matched === null) throw broken("no reply line", line);
    if (line.length + 2 > 512 && code !== "334") throw broken("over 512 octets", line);
    if (open !== undefined && code !== open) throw broken(`a reply of two codes, ${open} and`, line);
    if (!withoutStatus) checkStatus(code, words, line);
    lines.push(words);
    open = code;
    if (separator === "-") continue;
    replies.push({ code, lines });
    lines = [];
    open = undefined;
  }
  if (open !== undefined) throw broken("the last line of a reply is missing", text.slice(-80));
  return replies;
}

/** RFC 2034 §4, RFC 3463 §2: the class of the status is the first digit of the code. */
function checkStatus(code: string, words: string, line: string): void {
  const status = /^(\d)\.\d{1,3}\.\d{1,3}(?: |$)/.exec(words);
  if (status === null && !without.has(code)) throw broken("no enhanced status", line);
  if (status !== null && status[1] !== code[0]) throw broken("a status of another class", line);
}

const broken = (what: string, line: string): Error => new Error(`${what}: ${JSON.stringify(line)}`);
