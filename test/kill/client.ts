import { type Socket, connect } from "node:net";

interface Manner {
  /** MAIL, RCPT and DATA in one segment (RFC 2920). */
  readonly pipelined?: boolean;
  /** Called before the first octet of the message is sent. */
  readonly sends?: () => void;
}

/** A client that knows nothing but the socket. Rejects when it is answered what it did not expect. */
export class RawClient {
  readonly #socket: Socket;
  #heard = "";
  #wake = (): void => {};
  #gone = false;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1").setNoDelay();
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (text) => {
      this.#heard += String(text);
      this.#wake();
    });
    // ECONNRESET is what a killed server looks like; close comes after it
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      this.#gone = true;
      this.#wake();
    });
  }

  /** Greets. False when the server is gone. */
  async greet(): Promise<boolean> {
    if (!(await this.#hears("220"))) return false;
    this.#say("EHLO client.test");
    return this.#hears("250");
  }

  /** Hands in one message with CRLF line ends. True only when a 250 was read behind its end, false when the server is gone. */
  async deliver(recipients: readonly string[], message: string, manner: Manner = {}): Promise<boolean> {
    const lines = ["MAIL FROM:<sender@example.com>", ...recipients.map((one) => `RCPT TO:<${one}>`), "DATA"];
    if (manner.pipelined === true) this.#say(lines.join("\r\n"));
    for (const line of lines) {
      if (manner.pipelined !== true) this.#say(line);
      if (!(await this.#hears(line === "DATA" ? "354" : "250"))) return false;
    }
    manner.sends?.();
    this.#say(`${message}.`);
    return this.#hears("250");
  }

  async quit(): Promise<void> {
    this.#say("QUIT");
    await this.#hears("221");
    this.leave();
  }

  leave(): void {
    this.#socket.destroy();
  }

  #say(text: string): void {
    if (!this.#gone) this.#socket.write(`${text}\r\n`, "latin1");
  }

  /** False when the server is gone. */
  async #hears(code: string): Promise<boolean> {
    for (;;) {
      const whole = /^(?:\d{3}-[^\r]*\r\n)*\d{3} [^\r]*\r\n/.exec(this.#heard)?.[0];
      if (whole !== undefined) {
        this.#heard = this.#heard.slice(whole.length);
        if (!whole.startsWith(code)) throw new Error(`${whole.trim()} instead of ${code}`);
        return true;
      }
      if (this.#gone) return false;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
