import { type Client, type ClientOptions, client } from "./client.ts";
import { type ScriptLine, inGroups, readScript } from "./script.ts";

/** The server a transcript is held with, and who holds it. */
export interface TranscriptOptions extends ClientOptions {
  /** Called after the dialogue, before the server closes, once per way of cutting. */
  readonly afterwards?: (way: Way) => void | Promise<void>;
}

/** How the client's octets are cut. */
export type Way = "lines" | "groups" | "octets";

const ways: readonly Way[] = ["lines", "groups", "octets"];

const described: Record<Way, string> = {
  lines: "line by line",
  groups: "in pipelined groups",
  octets: "octet by octet",
};

/** A dialogue that went otherwise than its transcript says. */
export class TranscriptError extends Error {
  override readonly name = "TranscriptError";
}

/**
 * Holds a dialogue with a server in memory three ways: line by line, in legal pipelined groups, octet by octet.
 * Options may be a function: it is then called once for each way. Rejects with a TranscriptError that shows the dialogue.
 */
export async function transcript(options: TranscriptOptions | (() => TranscriptOptions), text: string): Promise<void> {
  const script = readScript(text);
  for (const way of ways) await hold(typeof options === "function" ? options() : options, script, way);
}

async function hold(options: TranscriptOptions, script: readonly ScriptLine[], way: Way): Promise<void> {
  const { afterwards, ...rest } = options;
  const speaker = await client(rest);
  try {
    await new Holder(speaker, way).hold(way === "groups" ? inGroups(script) : script);
    await afterwards?.(way);
  } finally {
    await speaker.close();
  }
}

/** Holds one dialogue, and shows it when it goes wrong. */
class Holder {
  readonly #client: Client;
  readonly #way: Way;
  readonly #said: string[] = [];
  readonly #group: Uint8Array[] = [];
  #heard = 0;
  #closeExpected = false;

  constructor(speaker: Client, way: Way) {
    this.#client = speaker;
    this.#way = way;
  }

  async hold(script: readonly ScriptLine[]): Promise<void> {
    for (const line of script) {
      if (line.who === "client") this.#say(line);
      else {
        this.#send();
        if (line.who === "server") await this.#expect(line.pattern);
        else await this.#expectClose(line.by);
      }
    }
    this.#send();
    // What the server says in the same breath is noticed; it is not waited for
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    if (this.#client.lines.length > this.#heard) this.#fail("the server said more than the transcript");
    if (this.#client.ended && !this.#closeExpected && !this.#saidGoodbye())
      this.#fail("the server closed, and the transcript has no S: <close>");
  }

  #say({ octets, text }: Extract<ScriptLine, { who: "client" }>): void {
    this.#group.push(octets);
    this.#said.push(`C: ${text}`);
    if (this.#way !== "groups") this.#send();
  }

  #send(): void {
    for (const octets of cut(this.#group, this.#way)) this.#client.send(octets);
    this.#group.length = 0;
  }

  async #expect(pattern: string): Promise<void> {
    const got = await this.#client.line();
    if (got !== undefined) this.#heard += 1;
    this.#said.push(`S: ${got ?? (this.#client.ended ? "<close>" : "<silence>")}`);
    if (got === undefined || !matches(pattern, got)) this.#fail(`expected S: ${pattern}`);
  }

  async #expectClose(by: "client" | "server"): Promise<void> {
    this.#closeExpected = true;
    if (by === "client") this.#client.hangUp();
    else if (!(await this.#client.closed())) this.#fail("expected S: <close>, but the server did not close");
    this.#said.push(`${by === "client" ? "C" : "S"}: <close>`);
  }

  /** 221 and 421 say that the channel closes (RFC 5321 §4.2.3). */
  #saidGoodbye(): boolean {
    return /^[24]21[ -]/.test(this.#client.lines[this.#heard - 1] ?? "");
  }

  #fail(what: string): never {
    const unread = this.#client.lines.slice(this.#heard).map((line) => `S: ${line}   <- not in the transcript`);
    const dialogue = [...this.#said, ...unread].map((line) => `  ${line}`).join("\n");
    throw new TranscriptError(`${what}\nHeld ${described[this.#way]}:\n${dialogue}`);
  }
}

/** A wire may be cut anywhere; groups leave in one piece. */
function cut(group: readonly Uint8Array[], way: Way): Uint8Array[] {
  const octets = Uint8Array.from(Buffer.concat(group));
  if (way !== "octets") return octets.length === 0 ? [] : [octets];
  return Array.from(octets, (octet) => Uint8Array.of(octet));
}

const matches = (pattern: string, line: string): boolean =>
  pattern.endsWith("*") ? line.startsWith(pattern.slice(0, -1)) : line === pattern;
