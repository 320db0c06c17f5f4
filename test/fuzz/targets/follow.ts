import { type Rules, type State, type Utterance, answer, start } from "../../../core/test/laws/model.ts";
import type { ReadReply } from "../../../core/test/laws/replies.ts";
import { speech } from "../../../core/test/laws/speech.ts";

// Reads a whole dialogue, from both sides, as one would with a pencil: a line, its reply, and where that leads.
// Shares nothing with core. What the model of the order rules knows by heart it answers exactly.

/** Where a dialogue stands when all that was sent is read. */
export interface Followed {
  /** What the next octets would be. */
  readonly awaits: "command" | "answer" | "body" | "nothing";
  /** Octets behind the last line end, or of the open body. */
  readonly rest: string;
  /** Contents of the messages that were answered 250. */
  readonly accepted: readonly string[];
  readonly state: State;
  /** TLS was begun behind the last reply: whoever went on in clear is hung up on without a word (CVE-2011-0411). */
  readonly shakesHands: boolean;
}

/** What it is read by. */
export interface Ground {
  readonly rules: Rules;
  /** Codes that anything may be answered with, where plugins do as they like. */
  readonly also: readonly string[];
}

/** Longer than any line that is taken; between 512 octets and this it depends on verb and parameters. */
const alwaysTooLong = 12_288 + 1000;

const utteranceOf: ReadonlyMap<string, Utterance> = new Map(
  Object.entries(speech)
    // One line, which is answered the same whatever stands behind it
    .filter(([name, [first]]) => first.indexOf("\n") === first.length - 1 && name !== "STARTTLS")
    .map(([name, [first]]) => [first, name as Utterance]), // the keys of a Record of utterances
);

const foreign = new Set(["GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH", "TRACE"]);
const inTransaction = ({ phase }: State): boolean => phase === "mail" || phase === "rcpt";

/** The codes a verb may be answered with where the dialogue stands, syntax and judges being what they are. */
const legal: Readonly<Record<string, (state: State) => readonly string[]>> = {
  EHLO: () => ["250", "501"],
  HELO: () => ["250", "501"],
  MAIL: (state) => (state.phase === "ready" ? ["250", "501", "552", "553", "555"] : ["503"]),
  RCPT: (state) => (inTransaction(state) ? ["250", "451", "452", "501", "550", "553", "555"] : ["503"]),
  DATA: (state) => (state.phase === "rcpt" ? ["354", "501"] : state.phase === "mail" ? ["554", "501"] : ["503"]),
  RSET: () => ["250", "501"],
  NOOP: () => ["250"],
  VRFY: () => ["252", "501"],
  EXPN: () => ["502", "501"],
  HELP: () => ["214"],
  QUIT: () => ["221", "501"],
  STARTTLS: (state) => (state.phase !== "ready" ? ["503"] : state.tls ? ["501", "503"] : ["220", "501", "503"]),
  AUTH: (state) =>
    state.phase !== "ready"
      ? ["503"]
      : state.authenticated
        ? ["501", "503"]
        : ["235", "334", "451", "501", "504", "535"],
};

/** What may come of a line where a command is due. */
function legalCodes(line: string, state: State, { rules, also }: Ground): readonly string[] {
  if (!line.endsWith("\r\n")) return ["500"];
  const text = line.slice(0, -2);
  const utf8 = Buffer.from(text, "latin1").toString("utf8");
  const broken = /[\0-\x08\x0a-\x1f\x7f]/.test(text) || Buffer.from(utf8).toString("latin1") !== text; // oxlint-disable-line no-control-regex
  if (broken || line.length > alwaysTooLong) return ["500"];
  const verb = (/^[^ \t]*/.exec(text)?.[0] ?? "").replaceAll(/[a-z]/g, (letter) => letter.toUpperCase());
  const codes = foreign.has(verb) ? ["554"] : Object.hasOwn(legal, verb) ? (legal[verb]?.(state) ?? []) : ["500"];
  const barred = rules.needsTls || rules.needsAuth ? ["530"] : [];
  return [...codes, ...also, ...barred, ...(line.length > 512 ? ["500"] : [])];
}

/** Where an answered command leads. */
function after(state: State, line: string, code: string): State {
  const verb = /^[A-Za-z]*/.exec(line)?.[0].toUpperCase() ?? "";
  const idle: State = { ...state, phase: "ready", sender: "", recipients: [] };
  if (code === "220") return { ...start, tls: true };
  if (code === "235") return { ...state, authenticated: true };
  if (code === "221" || (code === "554" && foreign.has(verb))) return { ...state, phase: "closed" };
  // What came in clear behind the command would run inside TLS: the connection is over (CVE-2011-0411)
  if (code === "503" && verb === "STARTTLS" && state.phase === "ready" && !state.tls)
    return { ...state, phase: "closed" };
  if (code === "354") return idle;
  if (code !== "250") return state;
  if (verb === "EHLO" || verb === "HELO") return { ...idle, extended: verb === "EHLO" };
  if (verb === "MAIL") return { ...idle, phase: "mail" };
  if (verb === "RCPT") return { ...state, phase: "rcpt" };
  return verb === "RSET" && inTransaction(state) ? idle : state;
}

/** RFC 5321 §4.5.2, on a body with the CRLF before it and the one before its last dot. */
function unstuffed(behind: string, rules: Rules): string {
  const content = behind.replaceAll(/\r\n\./g, "\r\n").slice(2);
  return rules.mends ? content.replaceAll(/\r\n|\r|\n/g, "\r\n") : content;
}

export class Follower {
  #at = 0;
  #reply = 0;
  #state: State = start;
  #awaits: Followed["awaits"] = "command";
  readonly #accepted: string[] = [];
  readonly #sent: string;
  readonly #replies: readonly ReadReply[];
  readonly #ground: Ground;

  constructor(sent: string, replies: readonly ReadReply[], ground: Ground) {
    this.#sent = sent;
    this.#replies = replies;
    this.#ground = ground;
  }

  /** Throws where a reply is not what the standard lets it be. */
  follow(): Followed {
    const banner = this.#next();
    if (banner === undefined) return this.#result("nothing");
    if (banner !== "220") return this.#end(["421", "554"], banner, "the beginning");
    const first = this.#peek();
    if (this.#sent.startsWith("\x16") && first !== undefined) {
      this.#reply += 1; // the beginning of a TLS handshake needs no line end
      return this.#end(["421", "554"], first, "a TLS handshake");
    }
    while (this.#state.phase !== "closed" && this.#step());
    if (this.#state.phase === "closed") {
      if (this.#reply < this.#replies.length) throw this.#wrong("nothing", "the last word");
      return this.#result("nothing");
    }
    // Time, or the server's own end: 421 may come at any time, and is the last word (RFC 5321 §3.8)
    const last = this.#next();
    if (last !== undefined) return this.#end(["421"], last, "no command");
    return this.#result(this.#awaits);
  }

  /** False when what was sent, or what was answered, is used up. */
  #step(): boolean {
    if (this.#awaits === "body") return this.#body();
    const end = this.#sent.indexOf("\n", this.#at) + 1;
    if (end === 0) return false;
    const line = this.#sent.slice(this.#at, end);
    const code = this.#peek();
    if (code === undefined) return false;
    this.#reply += 1;
    this.#at = end;
    if (code === "421") this.#state = { ...this.#state, phase: "closed" };
    else if (this.#awaits === "answer") this.#answer(line, code);
    else this.#command(line, code);
    return true;
  }

  #command(line: string, code: string): void {
    const codes = legalCodes(line, this.#state, this.#ground);
    if (!codes.includes(code)) throw this.#wrong(codes.join(" or "), JSON.stringify(line));
    const known = this.#ground.rules.errors === Infinity ? utteranceOf.get(line) : undefined;
    const [exactly] = known === undefined ? [] : answer(this.#state, known, this.#ground.rules).codes;
    if (exactly !== undefined && exactly !== code) throw this.#wrong(exactly, JSON.stringify(line));
    this.#state = after(this.#state, line, code);
    this.#awaits = code === "354" ? "body" : code === "334" ? "answer" : "command";
  }

  #answer(line: string, code: string): void {
    const codes = /^\*[ \t]*\r\n$/.test(line) ? ["501", "500"] : ["235", "334", "451", "500", "501", "535"];
    if (!this.#ground.also.includes(code) && !codes.includes(code))
      throw this.#wrong(codes.join(" or "), "an answer to 334");
    this.#state = after(this.#state, "", code);
    this.#awaits = code === "334" ? "answer" : "command";
  }

  #body(): boolean {
    const behind = `\r\n${this.#sent.slice(this.#at)}`;
    const dot = behind.indexOf("\r\n.\r\n");
    if (dot < 0) return false;
    const code = this.#next();
    if (code === undefined) return false;
    const content = unstuffed(behind.slice(0, dot + 2), this.#ground.rules);
    const bare = /\r(?!\n)|(?<!\r)\n/.test(content);
    const codes = bare ? ["550", "552", "554"] : ["250", "451", "552", "554"];
    if (code !== "421" && !codes.includes(code) && !(this.#ground.also.includes(code) && code !== "250"))
      throw this.#wrong(codes.join(" or "), "a message");
    if (code === "250") this.#accepted.push(content);
    if (code === "421") this.#state = { ...this.#state, phase: "closed" };
    this.#at += dot + 3;
    this.#awaits = "command";
    return true;
  }

  #peek = (): string | undefined => this.#replies[this.#reply]?.code;

  #next(): string | undefined {
    const code = this.#peek();
    if (code !== undefined) this.#reply += 1;
    return code;
  }

  #end(codes: readonly string[], code: string, what: string): Followed {
    this.#state = { ...this.#state, phase: "closed" };
    if (!codes.includes(code) || this.#reply < this.#replies.length) throw this.#wrong(codes.join(" or "), what);
    return this.#result("nothing");
  }

  #result(awaits: Followed["awaits"]): Followed {
    const shakesHands = this.#replies.length > 1 && this.#replies.at(-1)?.code === "220";
    return { awaits, rest: this.#sent.slice(this.#at), accepted: this.#accepted, state: this.#state, shakesHands };
  }

  #wrong(wanted: string, what: string): Error {
    const codes = this.#replies.map(({ code }) => code).join(" ");
    return new Error(
      `${what.slice(0, 200)} is answered ${wanted}, in ${this.#state.phase}, but the replies are ${codes}, the ${this.#reply}th is wrong`,
    );
  }
}
