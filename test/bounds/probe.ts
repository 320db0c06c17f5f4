// Another client, in a process of its own: dialogues one after the other, each with a whole message, and how long every
// reply took. Reports what it measured whenever its parent asks, and begins anew. argv: the port.
import { type Socket, connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds. */
export interface Delays {
  readonly replies: number;
  readonly median: number;
  /** 999 of 1,000 replies were no later. */
  readonly p999: number;
  readonly worst: number;
  /** What went wrong, none is best. */
  readonly problems: readonly string[];
}

const port = Number(process.argv[2]);
const message = `Subject: probe\r\n\r\n${"a line of text\r\n".repeat(100)}.`;
const dialogue = [
  "EHLO client.test",
  "NOOP",
  "MAIL FROM:<joe@client.test>",
  "RCPT TO:<jane@example.com>",
  "DATA",
  message,
  "RSET",
  "QUIT",
];

let delays: number[] = [];
let problems: string[] = [];

/** Resolves with the next whole reply. */
const reply = (socket: Socket): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = "";
    const over = (error?: unknown): void => {
      socket.off("data", hear).off("error", over).off("close", over);
      if (/^\d{3} .*\r\n$/m.test(text)) resolve(text);
      else reject(new Error(`closed after ${JSON.stringify(text)}`, { cause: error }));
    };
    const hear = (octets: Buffer): void => {
      text += octets.toString("latin1");
      if (/^\d{3} .*\r\n$/m.test(text)) over();
    };
    socket.on("data", hear).on("error", over).on("close", over);
  });

async function timed(socket: Socket, line?: string): Promise<void> {
  const from = performance.now();
  if (line !== undefined) socket.write(`${line}\r\n`);
  const said = await reply(socket);
  delays.push(performance.now() - from);
  if (!/^[23]/.test(said)) problems.push(`${line?.slice(0, 20)}: ${said.trim()}`);
}

async function once(turn: number): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", localAddress: `127.0.1.${1 + (turn % 200)}` }).setNoDelay();
  try {
    await timed(socket);
    for (const line of dialogue) await timed(socket, line);
  } catch (error) {
    problems.push(String(error));
  } finally {
    socket
      .removeAllListeners("close")
      .on("error", () => {})
      .destroy();
  }
}

function report(): Delays {
  const sorted = delays.toSorted((one, other) => one - other);
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
  const found = { replies: sorted.length, median: at(0.5), p999: at(0.999), worst: at(1), problems };
  delays = [];
  problems = [];
  return found;
}

process.on("message", () => process.send?.(report()));
process.on("disconnect", () => process.exit());
process.send?.(report());
for (let turn = 0; ; turn += 1) {
  await once(turn);
  await sleep(1);
}
