import { lstatSync, unlinkSync } from "node:fs";
import { type Server, type Socket, connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import type { Logger } from "pino";
import { RunTimeError } from "../exit.ts";
import type { Crew } from "./crew.ts";

/** What the primary answers, one JSON object a line; the last one has `done`. */
export type Answer =
  | { readonly replaced: { readonly old?: number | undefined; readonly new: number } }
  | { readonly done: true }
  | { readonly done: false; readonly why: string };

/** The one order so far. */
export const replaceOrder = "replace";

/**
 * Opens the socket at which `mailhost start --replace` hands in its order and hears what came of it. Only the user
 * that runs the server may connect. Rejects with a RunTimeError.
 */
export async function openControl(path: string, crew: Crew, log: Logger): Promise<Server> {
  const server = createServer((socket) => serve(socket, crew));
  try {
    if (!(await listen(server, path))) {
      if (await answers(path)) throw new RunTimeError(`another mailhost answers at ${path}: use another --control`);
      if (!lstatSync(path).isSocket()) throw new RunTimeError(`${path} is there and no socket: use another --control`);
      unlinkSync(path); // its server was killed
      if (!(await listen(server, path))) throw new Error("somebody else takes it");
    }
  } catch (error) {
    if (error instanceof RunTimeError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new RunTimeError(`no control socket at ${path}: ${message}`);
  }
  server.on("error", (error) => log.error({ err: error }, `control socket failed: ${error.message}`));
  return server;
}

/** False when the name is taken. */
function listen(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    };
    server.once("error", failed);
    const before = process.umask(0o077);
    server.listen({ path }, () => {
      server.off("error", failed);
      resolve(true);
    });
    process.umask(before);
  });
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });

function serve(socket: Socket, crew: Crew): void {
  const tell = (answer: Answer): void => void socket.write(`${JSON.stringify(answer)}\n`);
  const lines = createInterface({ input: socket });
  socket.on("error", () => lines.close()); // whoever asked is gone; the work goes on
  lines.once("line", (line) => void obey(line, crew, tell).then((answer) => socket.end(`${JSON.stringify(answer)}\n`)));
}

async function obey(line: string, crew: Crew, tell: (answer: Answer) => void): Promise<Answer> {
  if (line !== replaceOrder) return { done: false, why: `this primary knows ${replaceOrder} only` };
  const why = await crew.replace((replaced) => tell({ replaced }));
  return why === undefined ? { done: true } : { done: false, why };
}
