// How a server of the bench is started on a port of 127.0.0.1, and ended with all it left.
import { type ChildProcess, fork, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { quietPlace } from "./quiet-place.mts";

export interface Peer {
  readonly name: string;
  readonly version: string;
  readonly port: number;
  /** The process under which all of its processes stand. */
  readonly pid: number;
  /** The folder in which its mail becomes visible, of the one mailbox that the bench writes to. */
  readonly newMail?: string;
  /** Resolves once it has done all that it acknowledged. */
  readonly settled?: () => Promise<void>;
  /** Asks a process of Node's for the octets of its heap, if it was started with the probe. */
  readonly heap?: () => Promise<number>;
  stop(): Promise<void>;
}

export const versionOf = (path: string): string => String(JSON.parse(readFileSync(path, "utf8")).version);

const leftovers: (() => void)[] = [];
process.once("exit", () => leftovers.toReversed().forEach((undo) => undo()));

/** What is done when the bench ends, however it does: nothing of it stays. Twice is no harm. */
export const atExit = (undo: () => void): void => void leftovers.push(undo);

export const remove = (folder: string): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });

/** All on one file system, so that a wait for the disk is the same for all, and none beside what was removed just now. */
export function temporary(name: string): string {
  const above = mkdtempSync(join(tmpdir(), `mailhost-bench-${name}-`));
  atExit(() => remove(above));
  chmodSync(above, 0o711); // who runs as somebody else passes through
  const folder = join(quietPlace(above), name);
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Waits for a greeting: some of them bind their port long before they answer. */
export async function greeted(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const said = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("data", (octets) => (socket.end("QUIT\r\n"), resolve(octets.toString("latin1").startsWith("220"))));
      socket.once("error", () => resolve(false));
      socket.once("close", () => resolve(false));
    });
    if (said) return;
    await sleep(100);
  }
  throw new Error(`nothing greets on port ${port}`);
}

async function ended(child: ChildProcess, folder: string | undefined): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }
  if (folder !== undefined) remove(folder);
}

interface Forked {
  readonly args?: readonly string[];
  readonly execArgv?: readonly string[];
  /** Its own, removed when it is stopped. */
  readonly folder?: string;
  readonly newMail?: string;
}

const portOf = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    child.once("message", (message) => resolve(Number(message)));
    child.once("exit", (code) => reject(new Error(`it ended with ${code}`)));
  });

const heapOf = (child: ChildProcess): Promise<number> =>
  new Promise((resolve) => {
    child.once("message", (message) => resolve(Number(message)));
    child.send("heap");
  });

/** A program of this folder that says its port to its parent. */
export async function node(name: string, version: string, script: string, how: Forked = {}): Promise<Peer> {
  const { args = [], execArgv = [], folder, newMail } = how;
  const child = fork(join(import.meta.dirname, script), args, {
    execArgv: [...execArgv],
    stdio: ["ignore", "ignore", 2, "ipc"],
  });
  atExit(() => child.kill("SIGKILL"));
  try {
    const port = await portOf(child);
    await greeted(port);
    const heap = () => heapOf(child);
    const mail = newMail === undefined ? {} : { newMail };
    return { name, version, port, pid: child.pid ?? 0, ...mail, heap, stop: () => ended(child, folder) };
  } catch (problem) {
    await ended(child, folder);
    throw new Error(`${name} did not start: ${String(problem)}`, { cause: problem });
  }
}

interface Spawned {
  readonly folder?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Somebody else's program, which was told to listen on that port. */
export async function program(
  { name, version, port }: Pick<Peer, "name" | "version" | "port">,
  [command = "", ...args]: readonly string[],
  { folder, env = process.env }: Spawned = {},
): Promise<Peer> {
  const child = spawn(command, args, { stdio: "ignore", env });
  child.on("error", () => {}); // nothing will greet then
  atExit(() => child.kill("SIGKILL"));
  try {
    await greeted(port);
    return { name, version, port, pid: child.pid ?? 0, stop: () => ended(child, folder) };
  } catch (problem) {
    if (child.pid !== undefined) await ended(child, folder);
    throw new Error(`${name} did not start: ${String(problem)}`, { cause: problem });
  }
}
