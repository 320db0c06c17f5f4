import { type Engine, type Mailhost, type MailhostOptions, mailhost, stuff } from "@mailhost/core";
import { MemoryWire } from "./wire.ts";

/** Who speaks, and where it comes to. */
export interface SpeakerOptions {
  /** Address of the client; 192.0.2.1 unless told otherwise. */
  readonly client?: string;
  /** Milliseconds to wait for the server; 2000 unless told otherwise. */
  readonly patience?: number;
  /** Name of the listener; the first unless told otherwise. */
  readonly listener?: string;
  /** What it hands in is judged and staged, and then dropped, as `mailhost try` does it. */
  readonly dryRun?: boolean;
  /** Sent before the server has said a word; text gets a CRLF. */
  readonly early?: string | Uint8Array;
}

/** The server to speak with, and who speaks. */
export interface ClientOptions extends MailhostOptions, SpeakerOptions {}

/** One message, as `deliver` hands it in. */
export interface Letter {
  /** Reverse-path, `""` for the null one; sender@example.com unless told otherwise. */
  readonly from?: string;
  readonly to: string | readonly string[];
  /** Header and body with CRLF line ends. Dots are stuffed. A short text unless told otherwise. */
  readonly text?: string | Uint8Array;
}

const encoder = new TextEncoder();

/** Octets a client sends at once when there are many. */
const pieceOctets = 64 * 1024;

/** Speaks with a server in memory, for tests a transcript cannot hold: loops, octets made by a program, bad manners. */
export class Client {
  readonly server: Mailhost;
  readonly wire = new MemoryWire();
  readonly #engine: Engine;
  readonly #patience: number;
  readonly #whenClosed: () => Promise<void>;
  #heard = 0;

  /** Begins a dialogue with a server that was prepared. `whenClosed` runs behind `close`: the server closes too, unless told otherwise. */
  constructor(server: Mailhost, options: SpeakerOptions = {}, whenClosed = (): Promise<void> => server.close()) {
    this.server = server;
    this.#patience = options.patience ?? 2000;
    this.#whenClosed = whenClosed;
    const address = options.client ?? "192.0.2.1";
    const peer = { client: { address, port: 40000 }, local: { address: "192.0.2.25", port: 25 } };
    const { listener, early, dryRun = false } = options;
    this.#engine = server.dialogue(this.wire, { peer, dryRun, ...(listener === undefined ? {} : { listener }) });
    this.wire.attach(this.#engine);
    if (early !== undefined) this.send(early);
    this.#engine.start();
  }

  /** Lines the server said so far, read or not. */
  get lines(): readonly string[] {
    return this.wire.lines;
  }

  /** The server closed the connection. */
  get ended(): boolean {
    return this.wire.ended;
  }

  /** Sends octets; text gets a CRLF. Nobody stops a client from sending to a server that has closed, or that does not read. */
  send(what: string | Uint8Array): void {
    const octets = octetsOf(what);
    if (octets.length > 0) this.#engine.receive(octets);
  }

  /** Sends octets cut into pieces of that many; text gets a CRLF. */
  drip(what: string | Uint8Array, pieces = 1): void {
    const octets = octetsOf(what);
    for (let at = 0; at < octets.length; at += pieces) this.#engine.receive(octets.slice(at, at + pieces));
  }

  /** Sends many octets as TCP would: only while the server reads. False when it does not read on within the patience. */
  async pour(octets: Uint8Array): Promise<boolean> {
    for (let at = 0; at < octets.length && !this.wire.ended; at += pieceOctets) {
      await this.#until(() => !this.wire.paused || this.wire.ended);
      if (this.wire.paused) return false;
      this.#engine.receive(octets.slice(at, at + pieceOctets));
      // A server that waits for its disk says so a turn later
      await new Promise((resolve) => setImmediate(resolve));
    }
    return true;
  }

  /** The next line of the server, or undefined when it closed or says nothing within the patience. */
  async line(): Promise<string | undefined> {
    await this.#until(() => this.wire.lines.length > this.#heard || this.wire.ended);
    const line = this.wire.lines[this.#heard];
    if (line !== undefined) this.#heard += 1;
    return line;
  }

  /** The next reply: its lines up to one with no hyphen behind the code (RFC 5321 §4.2.1). Rejects when there is none. */
  async reply(): Promise<readonly string[]> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.line();
      if (line === undefined) {
        const closed = this.wire.ended ? "the server closed" : `no reply within ${this.#patience} ms`;
        const why = this.wire.left ? "the client hung up" : closed;
        throw new Error(`${why}; it said so far: ${lastLines(this.wire.lines)}`);
      }
      lines.push(line);
      if (line[3] !== "-") return lines;
    }
  }

  /** Sends a line and reads the reply to it. */
  ask(line: string): Promise<readonly string[]> {
    this.send(line);
    return this.reply();
  }

  /**
   * Hands in a message: MAIL, RCPT, DATA, one after the other. Gives the reply to the whole message, or the first refusal
   * that ends it: of MAIL, of the last RCPT when none was taken, of DATA. Say EHLO before.
   */
  async deliver({ from = "sender@example.com", to, text = "Subject: test\r\n\r\nHello\r\n" }: Letter) {
    const begun = await this.ask(`MAIL FROM:<${from}>`);
    if (!isOk(begun)) return begun;
    let taken = 0;
    let last = begun;
    for (const recipient of [to].flat()) {
      last = await this.ask(`RCPT TO:<${recipient}>`);
      if (isOk(last)) taken += 1;
    }
    if (taken === 0) {
      await this.ask("RSET");
      return last;
    }
    const opened = await this.ask("DATA");
    if (!opened[0]?.startsWith("354")) return opened;
    await this.pour(stuff(typeof text === "string" ? encoder.encode(text) : text));
    return this.reply();
  }

  /** Waits until the server has said so many lines in all, or closed; false when it does not come to that. */
  async heard(lines: number): Promise<boolean> {
    await this.#until(() => this.wire.lines.length >= lines || this.wire.ended);
    return this.wire.lines.length >= lines;
  }

  /** Waits until the server closes; false when it does not. */
  async closed(): Promise<boolean> {
    await this.#until(() => this.wire.ended);
    return this.wire.ended;
  }

  /** The client sends nothing more and still reads: half a close. */
  endInput(): void {
    this.#engine.ended();
  }

  /** The client is gone without a word. */
  hangUp(reason = "disconnected"): void {
    this.wire.hangUp(reason);
  }

  /** Ends the dialogue, and the server when `client()` made it. */
  async close(): Promise<void> {
    this.hangUp("end of the test");
    await this.#whenClosed();
  }

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #until(holds: () => boolean): Promise<void> {
    const end = Date.now() + this.#patience;
    while (!holds() && !this.wire.left && Date.now() < end) await this.wire.changed(end - Date.now());
  }
}

/** Sets a server up in memory and connects to it. Rejects with the server's ConfigurationError. */
export async function client(options: ClientOptions): Promise<Client> {
  const {
    client: _address,
    patience: _patience,
    listener: _listener,
    early: _early,
    dryRun: _dryRun,
    ...rest
  } = options;
  const server = mailhost({ name: "mx.example.com", ...rest });
  await server.prepare();
  return new Client(server, options);
}

/** An array of its own: the engine keeps what it receives. */
const octetsOf = (what: string | Uint8Array): Uint8Array =>
  typeof what === "string" ? encoder.encode(`${what}\r\n`) : Uint8Array.from(what);

/** Nobody reads a hundred. */
const lastLines = (lines: readonly string[]): string =>
  `${lines.length > 6 ? `(${lines.length - 6} lines more) ... | ` : ""}${lines.slice(-6).join(" | ")}`;

const isOk = (reply: readonly string[]): boolean => reply[0]?.startsWith("2") === true;
