// One connection of a client: what it asks, and whether the replies are those it expects.
import { type Socket, connect } from "node:net";
import { connect as secure } from "node:tls";

/** Replies of one connection, counted by their last lines. */
export class Speaker {
  socket: Socket;
  #rest = "";
  #codes: string[] = [];
  #begun: string | undefined;
  #lost: Error | undefined;
  #wanted = 0;
  #wake: ((codes: string[]) => void) | undefined;
  #fail: ((problem: Error) => void) | undefined;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#listen();
  }

  #listen(): void {
    this.socket.setEncoding("latin1");
    this.socket.on("data", (chunk: string) => this.#hear(chunk));
    this.socket.on("error", (problem) => this.#lose(problem));
    this.socket.on("close", () => this.#lose(new Error("closed")));
  }

  #lose(problem: Error): void {
    this.#lost ??= problem;
    this.#fail?.(problem);
  }

  /** Shakes hands, with the session that is there; gives the one to come again with. */
  startTls(session: Buffer | undefined): Promise<{ ticket: Promise<Buffer>; reused: boolean }> {
    this.socket.removeAllListeners();
    return new Promise((resolve, reject) => {
      const inner = secure({
        socket: this.socket,
        rejectUnauthorized: false,
        ...(session === undefined ? {} : { session }),
      });
      const ticket = new Promise<Buffer>((settle, fail) => {
        const late = setTimeout(() => fail(new Error("no session to resume")), 2000);
        inner.once("session", (one) => (clearTimeout(late), settle(one)));
      });
      ticket.catch(() => {}); // a full handshake needs none
      inner.once("error", reject);
      inner.once("secureConnect", () => {
        this.socket = inner;
        this.#listen();
        resolve({ ticket, reused: inner.isSessionReused() });
      });
    });
  }

  #hear(chunk: string): void {
    const text = this.#rest + chunk;
    let at = 0;
    for (let end = text.indexOf("\r\n", at); end >= 0; end = text.indexOf("\r\n", at)) {
      const code = text.slice(at, at + 3);
      if (this.#begun !== undefined && this.#begun !== code) this.#lose(new Error(`${this.#begun}- and ${code}`));
      this.#begun = text.charCodeAt(at + 3) === 45 ? code : undefined; // 45: a hyphen, more lines come
      if (this.#begun === undefined) this.#codes.push(code);
      at = end + 2;
    }
    this.#rest = text.slice(at);
    this.#look();
  }

  #look(): void {
    if (this.#codes.length < this.#wanted || this.#wake === undefined) return;
    const wake = this.#wake;
    this.#wake = undefined;
    wake(this.#codes.splice(0, this.#wanted));
  }

  /** Writes, and resolves once these codes came. */
  ask(octets: string | Uint8Array, ...codes: string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) return reject(this.#lost);
      this.#fail = reject;
      this.#wanted = codes.length;
      this.#wake = (heard) =>
        heard.join() === codes.join() ? resolve() : reject(new Error(`${heard.join()} for ${codes.join()}`));
      if (octets.length > 0) this.socket.write(octets);
      this.#look();
    });
  }

  /** Takes leave. Nothing may have been said that nobody asked for. */
  async quit(): Promise<void> {
    await this.ask("QUIT\r\n", "221");
    if (this.#codes.length > 0 || this.#rest !== "") throw new Error(`${this.#codes.join()}${this.#rest} behind 221`);
    this.socket.destroy();
  }
}
