import { latin1 } from "./latin1.ts";
import { baseCommands } from "@mailhost/core";

/** One line of a transcript. */
export type ScriptLine =
  | { readonly who: "client"; readonly octets: Uint8Array; readonly text: string }
  | { readonly who: "server"; readonly pattern: string }
  | { readonly who: "close"; readonly by: "client" | "server" };

const encoder = new TextEncoder();

/**
 * Reads a transcript. `C: ` the client sends a line, `R: ` it sends octets as they are (escapes \r \n \t \0 \xHH \\),
 * `S: ` the server sends a line (`*` at its end matches any rest), `C: <close>` and `S: <close>` end the connection.
 * Blank lines and lines that start with `#` are passed over.
 */
export function readScript(text: string): ScriptLine[] {
  return text
    .split("\n")
    .map((line) => line.trimStart())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map(readLine);
}

function readLine(line: string): ScriptLine {
  const matched = /^([CRS]):(?: (.*))?$/s.exec(line);
  if (matched === null) throw new SyntaxError(`not a line of a transcript: ${line}`);
  const [, who, rest = ""] = matched;
  if (rest === "<close>") return { who: "close", by: who === "S" ? "server" : "client" };
  if (who === "S") return { who: "server", pattern: rest };
  if (who === "C") return { who: "client", octets: encoder.encode(`${rest}\r\n`), text: rest };
  const octets = unescape(rest);
  return { who: "client", octets, text: rest };
}

const escapes = new Map([
  ["r", "\r"],
  ["n", "\n"],
  ["t", "\t"],
  ["0", "\0"],
  ["\\", "\\"],
]);

function unescape(text: string): Uint8Array {
  const octets: number[] = [];
  for (const [, hex, escape, plain] of text.matchAll(/\\x([0-9a-fA-F]{2})|\\([rnt0\\])|([\s\S])/gu)) {
    if (hex !== undefined) octets.push(Number.parseInt(hex, 16));
    else octets.push(...encoder.encode(escape === undefined ? (plain ?? "") : (escapes.get(escape) ?? "")));
  }
  return Uint8Array.from(octets);
}

/**
 * The same dialogue, with the commands of each legal pipelined group sent together (RFC 2920 §3.1):
 * what the client may say before it reads goes in front of what the server answers.
 */
export function inGroups(script: readonly ScriptLine[]): ScriptLine[] {
  const grouped: ScriptLine[] = [];
  let sent: ScriptLine[] = [];
  let answers: ScriptLine[] = [];
  let body: string | undefined;
  let mustRead = false;
  const flush = (): void => {
    grouped.push(...sent, ...answers);
    sent = [];
    answers = [];
    mustRead = false;
  };
  for (const [index, line] of script.entries()) {
    if (line.who === "client") {
      if (mustRead && answers.length > 0) flush();
      sent.push(line);
      const text = latin1(line.octets);
      if (body === undefined) mustRead ||= endsGroup(text);
      else body = bodyGoesOn(body + text);
    } else if (line.who === "server") {
      answers.push(line);
      if (/^354\b/.test(line.pattern)) body = "\r\n";
      if (/^334\b/.test(line.pattern)) mustRead = true;
      // The banner, and whatever else the client has to wait for
      if (sent.length === 0 && script[index + 1]?.who !== "server") flush();
    } else {
      flush();
      grouped.push(line);
    }
  }
  flush();
  return grouped;
}

/** The last octets of a body that goes on, or undefined when it is over. */
const bodyGoesOn = (body: string): string | undefined => (body.includes("\r\n.\r\n") ? undefined : body.slice(-4));

/** One of the commands in there must be the last of a group. */
const endsGroup = (text: string): boolean =>
  text
    .split("\r\n")
    .filter((line, index) => line !== "" || index === 0)
    .some((line) => baseCommands.get((line.split(/[ \t]/)[0] ?? "").toUpperCase())?.last ?? true);
