/** A reply as it stood on the wire. */
export interface ReadReply {
  readonly code: string;
  readonly lines: readonly string[];
}

/** Name of every server here: it stands in the greeting and in the replies to EHLO and HELO. */
export const serverName = "mx.example.com";

/** RFC 5321 §4.2: Reply-line. A blank is followed by text, but for the empty challenge of RFC 4954 §4. */
const replyLine = /^([2-5][0-5][0-9])(?:(-)([\t\x20-\x7e]*)| ([\t\x20-\x7e]+)|(?<=334) )?$/;
/** What a plugin may answer besides, to play a server that is broken: `260`, `599`. */
const anyReplyLine = /^([2-5][0-9][0-9])(?:(-)([\t\x20-\x7e]*)| ([\t\x20-\x7e]+)|(?<=334) )?$/;

/** RFC 5321 §4.1.1.1: ehlo-line. */
const ehloLine = /^[A-Za-z0-9][A-Za-z0-9-]*(?: [\x21-\x7e]+)*$/;

/**
 * Reads what a server sent, by the grammar of RFC 5321 §4.2 and nothing looser. Throws with the line that breaks it.
 * Everything must be whole: the last octets are a CRLF behind the last line of a reply.
 */
export function readReplies(text: string, { madeByPlugin = false } = {}): ReadReply[] {
  if (text === "") return [];
  if (!text.endsWith("\r\n")) throw broken("the end is no CRLF", text.slice(-80));
  const replies: ReadReply[] = [];
  let lines: string[] = [];
  let open: string | undefined;
  for (const line of text.slice(0, -2).split("\r\n")) {
    const matched = (madeByPlugin ? anyReplyLine : replyLine).exec(line);
    const [, code = "", hyphen, behindHyphen, behindBlank] = matched ?? [];
    const words = behindHyphen ?? behindBlank ?? "";
    if (matched === null) throw broken("no reply line", line);
    if (line.length + 2 > 512 && code !== "334") throw broken("over 512 octets", line);
    if (open !== undefined && code !== open) throw broken(`a reply of two codes, ${open} and`, line);
    if (!madeByPlugin) checkStatus(code, words, lines[0], line);
    lines.push(words);
    open = code;
    if (hyphen !== undefined) continue;
    replies.push({ code, lines });
    lines = [];
    open = undefined;
  }
  if (open !== undefined) throw broken("the last line of a reply is missing", text.slice(-80));
  return replies;
}

/**
 * RFC 2034 §4, RFC 3463 §2: every line of 2yz, 4yz and 5yz has a status, whose class is the first digit of the code.
 * But for the greeting and the replies to EHLO and HELO, which begin with the name of the server.
 */
function checkStatus(code: string, words: string, firstLine: string | undefined, line: string): void {
  const status = /^(\d)\.\d{1,3}\.\d{1,3}(?: |$)/.exec(words);
  if (status !== null) {
    if (status[1] !== code[0]) throw broken("a status of another class", line);
    return;
  }
  const named = (text: string): boolean => text === serverName || text.startsWith(`${serverName} `);
  const sound =
    code === "220" || (code === "250" && firstLine === undefined)
      ? named(words)
      : code === "250"
        ? named(firstLine ?? "") && ehloLine.test(words)
        : code === "334" || code === "354";
  if (!sound) throw broken("no enhanced status", line);
}

const broken = (what: string, line: string): Error => new Error(`${what}: ${JSON.stringify(line)}`);
