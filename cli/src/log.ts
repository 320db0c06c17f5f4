import pino, { type Logger } from "pino";
import { isWorker } from "./workers/messages.ts";

/** The server's log on stderr: for people on a terminal, JSON lines for programs. */
export async function makeLog(level: string, json: boolean): Promise<Logger> {
  if (json || !process.stderr.isTTY) return pino({ level }, pino.destination({ dest: 2, sync: true }));
  const { default: pretty } = await import("pino-pretty");
  const looks = { ignore: isWorker ? "hostname" : "pid,hostname", translateTime: "HH:MM:ss.l", singleLine: true };
  return pino({ level }, pretty({ destination: 2, sync: true, ...looks }));
}
