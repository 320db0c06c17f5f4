import { styleText } from "node:util";
import type { LineFault } from "@mailhost/core";
import { printable } from "@mailhost/core";
import type { BodyRecord, DumpRecord, TapRecord } from "./records.ts";

const faults: Record<LineFault, string> = {
  tooLong: "(a line that was too long)",
  badLineEnd: "(a line that did not end with CRLF)",
  badOctets: "(a line with octets that no command may hold)",
  otherProtocol: "(a TLS handshake)",
};

/** A record as people read it: whole lines, or nothing. */
export function formatText(record: DumpRecord, colour: boolean): string {
  const paint: Paint = colour ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text;
  const head = paint("gray", `${record.at.slice(11, 23)} ${record.session.slice(-6).padEnd(6)}`);
  return linesOf(record)
    .map(({ style, text }) => `${head} ${paint(style, printable(text))}\n`)
    .join("");
}

type Style = "cyan" | "green" | "yellow" | "red" | "gray" | "magenta";
type Paint = (style: Style, text: string) => string;

interface Line {
  readonly style: Style;
  readonly text: string;
}

const note = (text: string, style: Style = "gray"): Line[] => [{ style, text: `-- ${text}` }];

function linesOf(record: DumpRecord): Line[] {
  switch (record.type) {
    case "open": {
      const { client, listener, at } = record;
      return note(`${client.address} port ${client.port} connected to listener ${listener} on ${at.slice(0, 10)}`);
    }
    case "client": {
      const { line, fault } = record;
      return [{ style: "cyan", text: `C: ${fault === undefined ? line : faults[fault]}` }];
    }
    case "server":
      return [{ style: replyStyle(record.line), text: `S: ${record.line}` }];
    case "body":
      return bodyLines(record);
    case "secured":
      return note(`TLS begins: ${record.protocol} ${record.cipher}`);
    case "assumed":
      return note(`the client is ${record.client.address} port ${record.client.port}`);
    case "tap":
      return tapLines(record);
    case "route": {
      const { recipient, transport, nexthop } = record;
      return note(`${recipient} goes to ${transport}${nexthop === undefined ? "" : ` ${nexthop}`}`);
    }
    case "delivered":
      return note(`message ${record.transaction}: ${record.reply.join(" / ")}`);
    case "close":
      return note(`closed: ${record.reason}`);
    case "dropped":
      return note(`${record.records} entries are missing here: there was no room for them`, "magenta");
  }
}

const replyStyle = (line: string): Style => (line.startsWith("5") ? "red" : line.startsWith("4") ? "yellow" : "green");

function bodyLines({ octets, base64 }: BodyRecord): Line[] {
  const shown = base64 === undefined ? Buffer.alloc(0) : Buffer.from(base64, "base64");
  const lines: Line[] = [];
  for (let at = 0; at < shown.length;) {
    const end = shown.indexOf("\n", at);
    const line = shown.subarray(at, end < 0 ? shown.length : end + 1);
    at += line.length;
    lines.push({ style: "cyan", text: `C: ${readable(line)}` });
  }
  const hidden = octets - shown.length;
  if (hidden > 0) lines.push({ style: "cyan", text: `C: (${hidden} octets)` });
  return lines;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Octets of one line as text: UTF-8 where they are, else with each foreign octet named. */
function readable(line: Uint8Array): string {
  const whole = line.at(-1) === 0x0a && line.at(-2) === 0x0d;
  const content = whole ? line.subarray(0, -2) : line;
  try {
    return utf8.decode(content);
  } catch {
    return Array.from(content, (octet) => (octet < 0x80 ? String.fromCharCode(octet) : `\\x${hex(octet)}`)).join("");
  }
}

/** What a tap did: only what changed something. */
function tapLines({ plugin, version, hook, milliseconds, outcome, edits }: TapRecord): Line[] {
  const who = `${plugin} ${version}`;
  const when = `(${hook}, ${milliseconds.toFixed(1)} ms)`;
  switch (outcome.kind) {
    case "refused": {
      const { code, status, text } = outcome.reply;
      const said = typeof text === "string" ? text : text.join(" / ");
      return note(`${who} refused: ${code} ${status === undefined ? "" : `${status} `}${said} ${when}`, "magenta");
    }
    case "failed":
      return note(`${who} failed${outcome.ignored ? ", ignored" : ""}: ${outcome.error} ${when}`, "magenta");
    case "late":
      return note(`${who} answered too late ${when}`, "magenta");
    case "silent":
      return edits.length === 0 ? [] : note(`${who}: ${edits.join(", ")} ${when}`);
  }
}

const hex = (number: number): string => number.toString(16).padStart(2, "0");

/** Whether to colour what goes to `stream`: FORCE_COLOR says yes or no, NO_COLOR says no, else a terminal decides. */
export function wantsColour(stream: object, environment: NodeJS.ProcessEnv = process.env): boolean {
  const { FORCE_COLOR: force, NO_COLOR: never, TERM: terminal } = environment;
  if (force !== undefined) return force !== "0" && force !== "false";
  if (never !== undefined && never !== "") return false;
  return "isTTY" in stream && stream.isTTY === true && terminal !== "dumb";
}
