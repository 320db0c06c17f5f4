import { type Engine, type Mailhost, type MailhostOptions, mailhost } from "@mailhost/core";
import { MemoryWire } from "./wire.ts";

/** The server to speak with, and who speaks. */
export interface ClientOptions extends MailhostOptions {
  /** Address of the client; 192.0.2.1 unless told otherwise. */
  readonly client?: string;
  /** Milliseconds to wait for the server; 2000 unless told otherwise. */
  readonly patience?: number;
  /** Name of the listener; the first unless told otherwise. */
  readonly listener?: string;
}

/** Speaks with a server in memory, for tests a transcript cannot hold: loops, octets made by a program, replies that are looked at. */
export class Client {
  readonly server: Mailhost;
  readonly wire = new MemoryWire();
  readonly #engine: Engine;
  readonly #patience: number;
  #heard = 0;

  /** Begins a dialogue with a server that was prepared. */
  constructor(server: Mailhost, options: Pick<ClientOptions, "client" | "patience" | "listener"> = {}) {
    this.server = server;
    this.#patience = options.patience ?? 2000;
    const address = options.client ?? "192.0.2.1";
    const peer = { client: { address, port: 40000 }, local: { address: "192.0.2.25", port: 25 } };
    const { listener } = options;
    this.#engine = server.dialogue(this.wire, { peer, ...(listener === undefined ? {} : { listener }) });
    this.wire.attach(this.#engine);
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

  /** Sends octets; text gets a CRLF. Nothing reaches a server that has closed. */
  send(what: string | Uint8Array): void {
    const octets = typeof what === "string" ? new TextEncoder().encode(`${what}\r\n`) : Uint8Array.from(what);
    if (!this.wire.ended && octets.length > 0) this.#engine.receive(octets);
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
        const why = this.wire.ended ? "the server closed" : `no reply within ${this.#patience} ms`;
        throw new Error(`${why}; it said so far: ${this.wire.lines.join(" | ")}`);
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

  /** The client is gone without a word. */
  hangUp(reason = "disconnected"): void {
    this.#engine.gone(reason);
  }

  /** Ends the dialogue and closes the server. */
  async close(): Promise<void> {
    this.hangUp("end of the test");
    await this.server.close();
  }

  async #until(holds: () => boolean): Promise<void> {
    const end = Date.now() + this.#patience;
    while (!holds() && Date.now() < end) await this.wire.changed(end - Date.now());
  }
}

/** Sets a server up in memory and connects to it. Rejects with the server's ConfigurationError. */
export async function client(options: ClientOptions): Promise<Client> {
  const { client: _address, patience: _patience, listener: _listener, ...rest } = options;
  const server = mailhost({ name: "mx.example.com", ...rest });
  await server.prepare();
  return new Client(server, options);
}
