import { type Socket, connect } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as connectTls } from "node:tls";

/** A client that speaks over a real socket, in clear and then in TLS. */
export class Client {
  #socket: Socket;
  #text = "";
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen(socket);
  }

  static to(port: number): Client {
    return new Client(connect(port, "127.0.0.1"));
  }

  static overTls(port: number, options: ConnectionOptions = {}): Client {
    return new Client(connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options }));
  }

  get tls(): TLSSocket {
    return this.#socket as TLSSocket; // only asked for behind `secure` or `overTls`
  }

  send(text: string): void {
    this.#socket.write(text, "latin1");
  }

  end(): void {
    this.#socket.end();
  }

  /** The next reply, all of its lines; "" when the server closed instead. */
  async reply(): Promise<string> {
    for (;;) {
      const matched = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(this.#text);
      if (matched !== null) {
        this.#text = this.#text.slice(matched[0].length);
        return matched[0].trimEnd();
      }
      if (this.#closed) return "";
      await this.#changed();
    }
  }

  ask(line: string): Promise<string> {
    this.send(`${line}\r\n`);
    return this.reply();
  }

  /** Whatever comes until the server closes. */
  async rest(): Promise<string> {
    while (!this.#closed) await this.#changed();
    return this.#text;
  }

  /** The handshake, on the socket that spoke in clear. Rejects as `node:tls` does. */
  async secure(options: ConnectionOptions = {}): Promise<this> {
    this.#socket.removeAllListeners();
    const secured = connectTls({ socket: this.#socket, rejectUnauthorized: false, ...options });
    this.#listen(secured);
    this.#socket = secured;
    await handshake(secured);
    return this;
  }

  /** 220, EHLO, STARTTLS, handshake. */
  static async secured(port: number, options: ConnectionOptions = {}): Promise<Client> {
    const client = Client.to(port);
    await client.reply();
    await client.ask("EHLO client.test");
    await client.ask("STARTTLS");
    return client.secure(options);
  }

  /** Name in the certificate the server showed. */
  get subject(): string {
    return String(this.tls.getPeerCertificate().subject.CN);
  }

  #listen(socket: Socket): void {
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      this.#text += text;
      this.#wake?.();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#closed = true;
      this.#wake?.();
    });
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}

const handshake = (socket: TLSSocket): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed during the handshake")));
  });
