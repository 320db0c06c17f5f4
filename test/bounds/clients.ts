// Clients of the worst kind. Each ends by itself.
import { type Socket, connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";

/** A connection and what was heard on it. */
export class Caller {
  socket: Socket;
  readonly codes: string[] = [];
  hungUp = false;
  #rest = "";
  #wake = (): void => {};

  constructor(port: number, localAddress = "127.0.0.2") {
    this.socket = connect({ port, host: "127.0.0.1", localAddress });
    this.#hear();
  }

  #hear(): void {
    const over = (): void => {
      this.hungUp = true;
      this.#wake();
    };
    this.socket
      .setNoDelay()
      .setEncoding("latin1")
      .on("data", (text: string) => this.#take(text))
      .on("drain", () => this.#wake())
      .on("error", over)
      .on("end", over)
      .on("close", over);
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\r\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) if (/^\d{3}(?: |$)/.test(line)) this.codes.push(line.slice(0, 3));
    this.#wake();
  }

  /** Waits until that is so, the server has hung up, or so many milliseconds passed. */
  async until(so: () => boolean, milliseconds = 60_000): Promise<void> {
    const late = performance.now() + milliseconds;
    while (!so() && !this.hungUp && performance.now() < late) {
      const changed = new Promise<void>((resolve) => (this.#wake = resolve));
      await Promise.race([changed, sleep(Math.max(1, late - performance.now()), undefined, { ref: false })]);
    }
  }

  async replies(count: number): Promise<void> {
    await this.until(() => this.codes.length >= count);
  }

  async say(line: string): Promise<void> {
    const before = this.codes.length;
    this.socket.write(`${line}\r\n`, "latin1");
    await this.replies(before + 1);
  }

  /** EHLO, STARTTLS, the handshake. */
  async secure(): Promise<void> {
    await this.say("EHLO client.test");
    await this.say("STARTTLS");
    const raw = this.socket.removeAllListeners();
    this.socket = connectTls({ socket: raw, rejectUnauthorized: false });
    const shaken = new Promise((resolve) => this.socket.once("secureConnect", resolve));
    this.#hear();
    await shaken;
  }

  /** Writes piece after piece, as fast as the server takes them. Stops where it takes none for `patience` milliseconds. */
  async pour(pieces: Iterable<Uint8Array>, patience = 60_000): Promise<number> {
    const before = this.socket.bytesWritten;
    for (const piece of pieces) {
      if (this.hungUp) break;
      const taken = this.socket.write(piece);
      await new Promise((heard) => setImmediate(heard)); // what is answered meanwhile: a reset would take it away
      if (taken) continue;
      await this.until(() => this.socket.writableLength === 0, patience);
      if (this.socket.writableLength > 0) break;
    }
    return this.socket.bytesWritten - before - this.socket.writableLength;
  }

  leave(): void {
    this.socket
      .removeAllListeners()
      .on("error", () => {})
      .destroy();
  }
}

/** Calls so often a second, so many times. */
export async function paced(count: number, rate: number, call: (at: number) => void): Promise<void> {
  const begun = performance.now();
  for (let at = 0; at < count; at += 1) {
    const early = begun + (at * 1000) / rate - performance.now();
    if (early > 1) await sleep(early);
    call(at);
  }
}

/** So many connections that were answered `lines`, come at that rate, from so many addresses that no port is missing. */
export async function crowd(port: number, count: number, lines: readonly string[], rate: number): Promise<Caller[]> {
  const coming: Promise<Caller>[] = [];
  const come = async (at: number): Promise<Caller> => {
    const caller = new Caller(port, `127.0.2.${1 + (at % 250)}`);
    await caller.replies(1);
    for (const line of lines) await caller.say(line);
    return caller;
  };
  await paced(count, rate, (at) => coming.push(come(at)));
  return Promise.all(coming);
}

/** All leave, at that rate. */
export const disperse = (callers: readonly Caller[], rate: number): Promise<void> =>
  paced(callers.length, rate, (at) => callers[at]?.leave());
