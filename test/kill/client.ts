import { type Socket, connect } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as connectTls } from "node:tls";

interface Manner {
  /** MAIL, RCPT and DATA in one segment (RFC 2920). */
  readonly pipelined?: boolean;
  /** Called before the first octet of the message is sent. */
  readonly sends?: () => void;
}

/** A client that knows nothing but the socket. Rejects when it is answered what it did not expect. */
export class RawClient {
  #socket: Socket;
  #heard = "";
  #wake = (): void => {};
  #gone = false;
  #shaken = true;
  /** What the socket said when it ended. */
  trouble = "";

  /** With options of TLS, it begins with a handshake (RFC 8314). */
  constructor(port: number, tls?: ConnectionOptions) {
    const place = { port, host: "127.0.0.1" };
    this.#socket = tls === undefined ? connect(place).setNoDelay() : connectTls({ ...place, ...tls });
    this.#hear();
  }

  #hear(): void {
    this.#socket
      .setEncoding("latin1")
      .on("data", (text) => {
        this.#heard += String(text);
        this.#wake();
      })
      .on("secureConnect", () => {
        this.#shaken = true;
        this.#wake();
      })
      // ECONNRESET is what a killed server looks like; close comes after it
      .on("error", ({ message }) => (this.trouble = message))
      .on("close", () => {
        this.#gone = true;
        this.#wake();
      });
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** Behind `secure`, or a beginning with TLS. */
  get certificate(): string {
    return (this.#socket as TLSSocket).getPeerCertificate().fingerprint256;
  }

  /** Greets. False when the server is gone. */
  async greet(): Promise<boolean> {
    return (await this.hears("220")) && this.ask("EHLO client.test", "250");
  }

  /** STARTTLS, the handshake and EHLO (RFC 3207). */
  async secure(tls: ConnectionOptions): Promise<boolean> {
    if (!(await this.ask("STARTTLS", "220"))) return false;
    this.#shaken = false;
    this.#socket = connectTls({ socket: this.#socket.removeAllListeners(), ...tls });
    this.#hear();
    while (!this.#shaken && !this.#gone) await this.#changed();
    return this.#shaken && this.ask("EHLO client.test", "250");
  }

  /** Hands in one message with CRLF line ends. True only when a 250 was read behind its end, false when the server is gone. */
  async deliver(recipients: readonly string[], message: string, manner: Manner = {}): Promise<boolean> {
    const lines = ["MAIL FROM:<sender@example.com>", ...recipients.map((one) => `RCPT TO:<${one}>`), "DATA"];
    if (manner.pipelined === true) this.say(lines.join("\r\n"));
    for (const line of lines) {
      if (manner.pipelined !== true) this.say(line);
      if (!(await this.hears(line === "DATA" ? "354" : "250"))) return false;
    }
    manner.sends?.();
    return this.ask(`${message}.`, "250");
  }

  async quit(): Promise<void> {
    await this.ask("QUIT", "221");
    this.leave();
  }

  leave(): void {
    this.#socket.destroy();
  }

  ask(line: string, code: string): Promise<boolean> {
    this.say(line);
    return this.hears(code);
  }

  say(text: string): void {
    if (!this.#gone) this.#socket.write(`${text}\r\n`, "latin1");
  }

  /** False when the server is gone. */
  async hears(code: string): Promise<boolean> {
    const reply = await this.reply();
    if (reply !== "" && !reply.startsWith(code)) throw new Error(`${reply.trim()} instead of ${code}`);
    return reply !== "";
  }

  /** The next reply, "" when the server is gone. */
  async reply(): Promise<string> {
    for (;;) {
      const whole = /^(?:\d{3}-[^\r]*\r\n)*\d{3} [^\r]*\r\n/.exec(this.#heard)?.[0];
      if (whole !== undefined) {
        this.#heard = this.#heard.slice(whole.length);
        return whole;
      }
      if (this.#gone) return "";
      await this.#changed();
    }
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}
