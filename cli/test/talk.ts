import { type Socket, connect } from "node:net";

/** A client that says lines and collects what it hears. */
export class Talk {
  readonly #socket: Socket;
  #heard = "";
  #ended = false;
  #wake: () => void = () => {};

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("data", (octets) => {
      this.#heard += octets.toString("latin1");
      this.#wake();
    });
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      this.#ended = true;
      this.#wake();
    });
  }

  get heard(): string {
    return this.#heard;
  }

  say(line: string): void {
    this.#socket.write(`${line}\r\n`);
  }

  /** Resolves to everything heard once `pattern` is in it, or the connection is closed. */
  async hears(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#heard) && !this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#heard;
  }

  /** Resolves once the server closed. */
  async closed(): Promise<string> {
    while (!this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#heard;
  }

  hangUp(): void {
    this.#socket.destroy();
  }
}
