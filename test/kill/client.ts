import { type Socket, connect } from "node:net";

/** A client that knows nothing but the socket. */
export class RawClient {
  readonly #socket: Socket;
  #heard = "";
  #wake = (): void => {};
  #gone = false;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
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
    return (await this.#reply()).startsWith("220") && (await this.#say("EHLO client.test\r\n")).startsWith("250");
  }

  /** Hands in one message with CRLF line ends. True only when a 250 was read behind its end. */
  async deliver(recipients: readonly string[], message: string): Promise<boolean> {
    if (!(await this.#say("MAIL FROM:<sender@example.com>\r\n")).startsWith("250")) return false;
    for (const recipient of recipients)
      if (!(await this.#say(`RCPT TO:<${recipient}>\r\n`)).startsWith("250")) return false;
    if (!(await this.#say("DATA\r\n")).startsWith("354")) return false;
    return (await this.#say(`${message}.\r\n`)).startsWith("250");
  }

  leave(): void {
    this.#socket.destroy();
  }

  #say(octets: string): Promise<string> {
    if (!this.#gone) this.#socket.write(octets, "latin1");
    return this.#reply();
  }

  /** The next reply, or what there is of it when the server is gone. */
  async #reply(): Promise<string> {
    for (;;) {
      const whole = /^(?:\d{3}-[^\r]*\r\n)*\d{3} [^\r]*\r\n/.exec(this.#heard)?.[0];
      if (whole !== undefined) {
        this.#heard = this.#heard.slice(whole.length);
        return whole;
      }
      if (this.#gone) return "";
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
