import { stuff } from "@mailhost/core";
import { RunTimeError } from "../exit.ts";

/** Takes the client's octets to the server; what comes back is given to `SmtpClient.heard`. */
export interface Channel {
  send(octets: Uint8Array): void;
}

/** A reply of the server, all of its lines. */
export interface SmtpReply {
  readonly code: number;
  /** Without CRLF, as they came: `250-SIZE 1000`. */
  readonly lines: readonly string[];
}

export interface SmtpClientOptions {
  /** Hears each line of the dialogue. */
  readonly watch?: (who: "C" | "S", line: string) => void;
  /** Milliseconds to wait for a reply. */
  readonly patience: number;
}

interface Waiting {
  readonly resolve: (reply: SmtpReply) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const encoder = new TextEncoder();

/** The client's side of one dialogue, one command at a time (RFC 5321). */
export class SmtpClient {
  readonly #channel: Channel;
  readonly #watch: NonNullable<SmtpClientOptions["watch"]>;
  readonly #patience: number;
  readonly #replies: SmtpReply[] = [];
  #waiting: Waiting | undefined;
  #rest = "";
  #lines: string[] = [];
  #closed: string | undefined;

  constructor(channel: Channel, options: SmtpClientOptions) {
    this.#channel = channel;
    this.#watch = options.watch ?? (() => {});
    this.#patience = options.patience;
  }

  /** Octets from the server. */
  heard(octets: Uint8Array): void {
    const parts = (this.#rest + Buffer.from(octets).toString("utf8")).split(/\r?\n/);
    this.#rest = parts.pop() ?? "";
    for (const line of parts) {
      this.#watch("S", line);
      this.#lines.push(line);
      if (/^\d{3}-/.test(line)) continue;
      const reply: SmtpReply = { code: Number.parseInt(line, 10) || 0, lines: this.#lines };
      this.#lines = [];
      this.#replies.push(reply);
    }
    this.#settle();
  }

  /** Nothing more will come. */
  closed(reason: string): void {
    this.#closed ??= reason;
    this.#settle();
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** The next reply. Rejects with a RunTimeError when it does not come. */
  reply(): Promise<SmtpReply> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting = undefined;
        reject(new RunTimeError(`the server said nothing for ${Math.round(this.#patience / 1000)} s`));
      }, this.#patience);
      this.#waiting = { resolve, reject, timer };
      this.#settle();
    });
  }

  /** Sends one command and gives its reply. `shown` stands for it in the dialogue: passwords are not for the screen. */
  command(line: string, shown = line): Promise<SmtpReply> {
    this.#send(oneLine(line), shown);
    return this.reply();
  }

  /** Sends the content of a message behind 354, dots stuffed and ended, and gives the reply. */
  body(content: Uint8Array): Promise<SmtpReply> {
    this.#watch("C", `(${content.length} octets)`);
    this.#watch("C", ".");
    this.#channel.send(stuff(content));
    return this.reply();
  }

  #send(octets: Uint8Array, shown: string): void {
    this.#watch("C", shown);
    if (this.#closed === undefined) this.#channel.send(octets);
  }

  #settle(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const reply = this.#replies.shift();
    if (reply === undefined && this.#closed === undefined) return;
    this.#waiting = undefined;
    clearTimeout(waiting.timer);
    if (reply !== undefined) waiting.resolve(reply);
    else waiting.reject(new RunTimeError(`the connection is closed: ${this.#closed ?? ""}`));
  }
}

/** The only writer of command lines. A CR or LF in an address or a name would be a second command. */
function oneLine(line: string): Uint8Array {
  // oxlint-disable-next-line no-control-regex -- these are what must not get through
  if (/[\r\n\0]/.test(line)) throw new RunTimeError(`not one line: ${JSON.stringify(line)}`);
  return encoder.encode(`${line}\r\n`);
}

/** Whether the reply to EHLO offers `keyword`, and with which parameters. */
export function offered(ehlo: SmtpReply, keyword: string): string | undefined {
  for (const line of ehlo.lines.slice(1)) {
    const [word = "", ...parameters] = line.slice(4).split(" ");
    if (word.toUpperCase() === keyword) return parameters.join(" ");
  }
  return undefined;
}
