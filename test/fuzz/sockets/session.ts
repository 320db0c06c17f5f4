import { type Socket, connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { readReplies } from "../../../core/test/laws/replies.ts";
import type { Pieces } from "../input.ts";

/** In clear, behind STARTTLS, or in TLS from the first octet. */
export type Layer = "clear" | "starttls" | "implicit";

export interface Ports {
  readonly plain: number;
  readonly tls: number;
}

export interface Held {
  /** What must not be, or undefined. */
  readonly problem?: string;
  readonly replies: number;
}

/** The server is to close so many milliseconds after the client's end, at the latest. */
const patience = 15_000;

/** A client's end: what it was told, and whether it is over. */
class Line {
  socket: Socket;
  said = "";
  closed = false;
  broken = false;
  #wake = (): void => {};

  constructor(socket: Socket) {
    this.socket = socket;
    this.#hear();
  }

  #hear(): void {
    this.socket
      .setNoDelay()
      .setEncoding("latin1")
      .on("data", (text: string) => {
        this.said += text;
        this.#wake();
      })
      .on("error", () => (this.broken = true))
      .on("close", () => {
        this.closed = true;
        this.#wake();
      });
  }

  /** Until that is so, the connection is closed or so much time has passed. */
  async until(so: () => boolean, milliseconds: number): Promise<boolean> {
    const late = performance.now() + milliseconds;
    while (!so() && !this.closed && performance.now() < late) {
      const timer = new AbortController();
      const changed = new Promise<void>((resolve) => (this.#wake = resolve));
      const asleep = sleep(Math.max(1, late - performance.now()), undefined, { signal: timer.signal }).catch(() => {});
      await Promise.race([changed, asleep]);
      timer.abort();
    }
    return so();
  }

  send(text: string): void {
    if (this.socket.writable) this.socket.write(text, "latin1");
  }

  async secure(): Promise<boolean> {
    for (const line of ["EHLO client.test\r\n", "STARTTLS\r\n"]) {
      const { length } = this.said;
      this.send(line);
      if (!(await this.until(() => /^\d{3} .*\r\n$/m.test(this.said.slice(length)), patience))) return false;
    }
    if (!this.said.endsWith("220 2.0.0 Ready to start TLS\r\n")) return false;
    this.socket.removeAllListeners();
    this.said = "";
    this.socket = connectTls({ socket: this.socket, rejectUnauthorized: false });
    this.#hear();
    const { socket } = this;
    await new Promise((resolve) => socket.once("secureConnect", resolve).once("close", resolve));
    return !this.closed;
  }
}

/** Says the pieces to a real server as fast as it can, or with a rest at `~wait`, and leaves. */
export async function hold(ports: Ports, layer: Layer, pieces: Pieces): Promise<Held> {
  const host = "127.0.0.1";
  const line = new Line(
    layer === "implicit"
      ? connectTls({ port: ports.tls, host, rejectUnauthorized: false })
      : connect({ port: ports.plain, host }),
  );
  const greeted = await line.until(() => line.said.endsWith("\r\n"), patience);
  if (!greeted && !line.closed) return { problem: "no greeting", replies: 0 };
  if (layer === "starttls" && !(await line.secure())) return { problem: "no TLS", replies: 0 };
  for (const piece of pieces) {
    if (line.closed) break;
    const { length } = line.said;
    if (piece === "~gone") line.socket.destroy();
    else if (piece === "~end") line.socket.end();
    else if (piece === "~wait") await line.until(() => line.said.length > length, 20);
    else if (piece === "~deaf") line.socket.pause();
    else if (piece === "~reads") line.socket.resume();
    else if (!piece.startsWith("~")) line.send(piece);
  }
  const gone = line.socket.destroyed;
  line.socket.resume();
  line.socket.end();
  await line.until(() => false, patience);
  if (!line.closed) {
    line.socket.destroy();
    return { problem: `not closed within ${patience} ms`, replies: 0 };
  }
  return gone || line.broken ? { replies: 0 } : judged(line.said);
}

/** Whoever was not cut off heard whole replies. */
function judged(said: string): Held {
  try {
    return { replies: readReplies(said).length };
  } catch (error) {
    return { problem: String(error), replies: 0 };
  }
}
