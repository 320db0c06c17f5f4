import { styleText } from "node:util";
import { type Edit, type LineFault, type TapOutcome, describeEdit, printable, replyLines } from "@mailhost/core";
import type { PieceSeen, Seen } from "./seen.ts";
import { isoTime } from "./time.ts";

const faults: Record<LineFault, string> = {
  tooLong: "(a line that was too long)",
  badLineEnd: "(a line that did not end with CRLF)",
  badOctets: "(a line with octets that no command may hold)",
  otherProtocol: "(a TLS handshake)",
};

type Style = "cyan" | "green" | "yellow" | "red" | "gray" | "magenta";

/** What was seen as people read it: whole lines, or nothing. */
export class TextForm {
  readonly #colour: boolean;
  #at = NaN;
  #time = "";
  #session = "";
  #head = "";
  /** What the tap of a plugin did last: most do the same for everybody, and core says it by the same object. */
  readonly #did = new Map<string, Did>();
  #lastReply = { line: "", text: "" };

  constructor(colour: boolean) {
    this.#colour = colour;
  }

  format(seen: Seen): string {
    this.#begin(seen);
    switch (seen.type) {
      case "client":
        return this.#line("cyan", `C: ${seen.fault === undefined ? printable(seen.line) : faults[seen.fault]}`);
      case "server":
        return this.#reply(seen.line);
      case "piece":
        return this.#piece(seen);
      case "tap":
        return this.#tap(seen);
      case "dropped":
        return this.#note(`${seen.records} entries are missing here: there was no room for them`, "magenta");
      case "route":
        return this.#line("gray", `-- ${printable(seen.recipient)} goes to ${goalOf(seen)}`);
      default:
        return this.#note(wordsOf(seen));
    }
  }

  /** Every line begins with the time and the end of the session's id: mostly those of the line before. */
  #begin({ at, session: { id } }: Seen): void {
    if (at === this.#at && id === this.#session) return;
    if (at !== this.#at) this.#time = isoTime(at).slice(11, 23);
    this.#at = at;
    this.#session = id;
    this.#head = [this.#paint("gray", `${this.#time} ${id.slice(-6).padEnd(6)}`), " "].join("");
  }

  #paint(style: Style, text: string): string {
    return this.#colour ? styleText(style, text, { validateStream: false }) : text;
  }

  /** A line of text that is printable. */
  #line(style: Style, text: string): string {
    return `${this.#head}${this.#paint(style, text)}\n`;
  }

  #note(text: string, style: Style = "gray"): string {
    return this.#line(style, `-- ${printable(text)}`);
  }

  #piece({ octets, shown }: PieceSeen): string {
    let text = "";
    for (let at = 0; at < shown.length;) {
      const end = shown.indexOf(0x0a, at) + 1 || shown.length;
      text += this.#line("cyan", `C: ${printable(readable(shown.subarray(at, end)))}`);
      at = end;
    }
    const hidden = octets - shown.length;
    return hidden > 0 ? text + this.#line("cyan", `C: (${hidden} octets)`) : text;
  }

  /** Most replies are those of the line before, or of the recipient before. */
  #reply(line: string): string {
    if (line !== this.#lastReply.line) this.#lastReply = { line, text: this.#kept(replyStyle(line), `S: ${line}`) };
    return `${this.#head}${this.#lastReply.text}`;
  }

  /** What a tap did: only what changed something. */
  #tap(tap: TapSeen): string {
    const { plugin, version, hook, milliseconds, outcome, edits } = tap;
    const took = milliseconds < 0.05 ? "0.0" : milliseconds.toFixed(1);
    if (outcome.kind !== "silent")
      return this.#note(`${plugin} ${version} ${cameTo(outcome)} (${hook}, ${took} ms)`, "magenta");
    if (edits.length === 0) return "";
    let did = this.#did.get(plugin);
    if (did === undefined || did.hook !== hook || did.took !== took || !sameEdits(did.edits, edits)) {
      const words = `-- ${plugin} ${version}: ${edits.map(describeEdit).join(", ")} (${hook}, ${took} ms)`;
      did = { hook, took, edits, text: this.#kept("gray", words) };
      this.#did.set(plugin, did);
    }
    return `${this.#head}${did.text}`;
  }

  /** The rest of a line that will come again. Joined it is one string; put together otherwise, a tree of its parts. */
  #kept(style: Style, text: string): string {
    return [this.#paint(style, printable(text)), "\n"].join("");
  }
}

/** What a tap did, and the rest of its line. */
interface Did extends Pick<TapSeen, "hook" | "edits"> {
  readonly took: string;
  readonly text: string;
}

const sameEdits = (some: readonly Edit[], others: readonly Edit[]): boolean =>
  some.length === others.length && some.every((edit, at) => edit === others[at]);

type TapSeen = Extract<Seen, { type: "tap" }>;
type Noted = Exclude<Seen, { type: "client" | "server" | "piece" | "tap" | "route" | "dropped" }>;

const goalOf = ({ transport, nexthop }: Extract<Seen, { type: "route" }>): string =>
  printable(nexthop === undefined ? transport : `${transport} ${nexthop}`);

function wordsOf(seen: Noted): string {
  switch (seen.type) {
    case "open": {
      const { client, listener } = seen.session;
      const day = isoTime(seen.at).slice(0, 10);
      return `${client.address} port ${client.port} connected to listener ${listener} on ${day}`;
    }
    case "secured":
      return `TLS begins: ${seen.protocol} ${seen.cipher}`;
    case "assumed":
      return `the client is ${seen.session.client.address} port ${seen.session.client.port}`;
    case "delivered":
      return `message ${seen.transaction}: ${replyLines(seen.reply).join(" / ")}`;
    case "close":
      return `closed: ${seen.reason}`;
  }
}

function cameTo(outcome: Exclude<TapOutcome, { kind: "silent" }>): string {
  switch (outcome.kind) {
    case "refused": {
      const { code, status, text } = outcome.reply;
      const said = typeof text === "string" ? text : text.join(" / ");
      return `refused: ${code} ${status === undefined ? "" : `${status} `}${said}`;
    }
    case "failed":
      return `failed${outcome.ignored ? ", ignored" : ""}: ${outcome.error}`;
    case "late":
      return "answered too late";
  }
}

const replyStyle = (line: string): Style => (line.startsWith("5") ? "red" : line.startsWith("4") ? "yellow" : "green");

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

const hex = (number: number): string => number.toString(16).padStart(2, "0");

/** Whether to colour what goes to `stream`: FORCE_COLOR says yes or no, NO_COLOR says no, else a terminal decides. */
export function wantsColour(stream: object, environment: NodeJS.ProcessEnv = process.env): boolean {
  const { FORCE_COLOR: force, NO_COLOR: never, TERM: terminal } = environment;
  if (force !== undefined) return force !== "0" && force !== "false";
  if (never !== undefined && never !== "") return false;
  return "isTTY" in stream && stream.isTTY === true && terminal !== "dumb";
}
