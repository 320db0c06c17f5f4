import { type Socket, connect as connectTo } from "node:net";
import { type Mailhost, type MailhostOptions, mailhost } from "@mailhost/core";
import { onTestFinished } from "vitest";
import { recorder } from "./dialogue.ts";

/** A server that listens on a free port of 127.0.0.1. */
export async function listening(options: MailhostOptions): Promise<{ server: Mailhost; port: number }> {
  const timeouts = { drain: 500, ...options.timeouts };
  const server = mailhost({
    name: "mx.example.com",
    log: recorder(),
    listeners: [{ host: "127.0.0.1", port: 0 }],
    ...options,
    timeouts,
  });
  onTestFinished(() => server.close());
  await server.listen();
  return { server, port: server.addresses[0]?.port ?? 0 };
}

export interface Caller {
  readonly socket: Socket;
  readonly say: (...lines: string[]) => void;
  /** The lines that came since the last time, once there are `count` of them or the connection is closed. */
  readonly hear: (count: number) => Promise<string[]>;
  /** Resolves when the server has closed. */
  readonly closed: Promise<void>;
}

export function connect(port: number): Caller {
  const socket = connectTo({ host: "127.0.0.1", port });
  onTestFinished(() => void socket.destroy());
  return calling(socket);
}

/** A dialogue on a socket that is there. */
export function calling(socket: Socket): Caller {
  const lines: string[] = [];
  let rest = "";
  let over = false;
  let wake = (): void => {};
  socket.on("data", (octets) => {
    const read = (rest + octets.toString("latin1")).split("\r\n");
    rest = read.pop() ?? "";
    lines.push(...read);
    wake();
  });
  const closed = new Promise<void>((resolve) => {
    const end = (): void => {
      over = true;
      wake();
      resolve();
    };
    socket.on("end", end);
    socket.on("close", end);
    socket.on("error", end);
  });
  return {
    socket,
    closed,
    say: (...said) => void socket.write(Buffer.from(said.map((line) => `${line}\r\n`).join(""), "latin1")),
    async hear(count) {
      while (lines.length < count && !over) await new Promise<void>((resolve) => (wake = resolve));
      return lines.splice(0, lines.length);
    },
  };
}
