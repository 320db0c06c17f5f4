import { type Socket, connect } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as connectTls } from "node:tls";
import { type Mailhost, type MailhostOptions, mailhost } from "@mailhost/core";
import { onTestFinished } from "vitest";
import { quietLog } from "./dialogue.ts";

/** A server on 127.0.0.1 that is closed after the test. */
export async function listen(options: MailhostOptions): Promise<{ server: Mailhost; port: number }> {
  const server = mailhost({
    name: "mx.example.com",
    log: quietLog,
    listeners: [{ host: "127.0.0.1", port: 0 }],
    ...options,
    timeouts: { drain: 100, ...options.timeouts },
  });
  onTestFinished(() => server.close());
  await server.listen();
  return { server, port: server.addresses[0]?.port ?? 0 };
}

/** A client on a real socket, in clear and then in TLS. */
export class SocketClient {
  socket: Socket;
  #text = "";
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    this.#hear(socket);
    onTestFinished(() => void this.socket.destroy());
  }

  static to(port: number): SocketClient {
    return new SocketClient(connect(port, "127.0.0.1"));
  }

  /** 220, EHLO, STARTTLS, handshake. Rejects as `node:tls` does. */
  static async secured(port: number, options: ConnectionOptions = {}): Promise<SocketClient> {
    const client = SocketClient.to(port);
    await client.reply();
    for (const line of ["EHLO client.test", "STARTTLS"]) await client.ask(line);
    await client.secure(options);
    return client;
  }

  /** Behind `secured` it is one. */
  get tls(): TLSSocket {
    return this.socket as TLSSocket;
  }

  send(text: string): void {
    this.socket.write(text, "latin1");
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

  /** Whatever comes until the connection is closed. */
  async rest(): Promise<string> {
    while (!this.#closed) await this.#changed();
    return this.#text;
  }

  async secure(options: ConnectionOptions = {}): Promise<void> {
    this.socket.removeAllListeners();
    const secured = connectTls({ socket: this.socket, rejectUnauthorized: false, ...options });
    this.#hear(secured);
    this.socket = secured;
    await new Promise<void>((resolve, reject) => {
      secured.once("secureConnect", resolve);
      secured.once("error", reject);
      secured.once("close", () => reject(new Error("closed during the handshake")));
    });
  }

  #hear(socket: Socket): void {
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
