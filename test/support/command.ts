import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const repository = join(import.meta.dirname, "../..");

/** `source`: by tsx, needs no build. `built`: what users run. */
export type Form = "source" | "built";

const programs: Record<Form, string> = {
  source: join(repository, "cli/bin/mailhost.js"),
  built: join(import.meta.dirname, "built.mjs"),
};

/** A new folder outside of the repository whose configuration finds the plugins. Who makes it removes it. */
export function serverFolder(name: string, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), `mailhost-${name}-`));
  symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How soon a server says 220. */
export interface Greeted {
  /** Since its process was started. */
  readonly milliseconds: number;
  /** Milliseconds of these that it was ready to run and other processes had the cores. Linux only, else 0. */
  readonly starved: number;
}

/** A line of the log. */
export interface Line {
  readonly level: number;
  readonly msg: string;
  readonly port?: number;
  readonly pid?: number;
}

interface Options {
  readonly form?: Form;
  readonly args?: readonly string[];
  /** Options of Node itself. */
  readonly node?: readonly string[];
  readonly ipc?: boolean;
}

/** `mailhost start` in a process of its own. */
export class Command {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly ports: number[] = [];
  /** Lines of warnings and errors. */
  readonly complaints: string[] = [];
  /** Whatever it said that is no line of the log. */
  said = "";
  #rest = "";
  readonly #hearers = new Set<(line: Line) => void>();

  constructor(folder: string, { form = "source", args = [], node = [], ipc = false }: Options = {}) {
    if (!existsSync(programs[form])) throw new Error(`${programs[form]} is missing`);
    const inherited = Object.entries(process.env).filter(([name]) => !/^(MAILHOST_|NODE_OPTIONS|VITEST)/.test(name));
    this.child = spawn(process.execPath, [...node, programs[form], "start", "--json-logs", ...args], {
      cwd: folder,
      env: { ...Object.fromEntries(inherited), NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe", ...(ipc ? (["ipc"] as const) : [])],
    });
    this.ended = once(this.child, "close").then(() => {
      const { exitCode, signalCode } = this.child;
      return { code: exitCode, signal: signalCode };
    });
    this.child.stdout?.on("data", (octets: Buffer) => (this.said += octets.toString()));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#hear(text));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const text of lines) {
      const line = lineOf(text);
      if (line === undefined) this.said += `${text}\n`;
      else this.#take(line, text);
    }
  }

  #take(line: Line, text: string): void {
    if (line.level >= 40) this.complaints.push(text);
    if (line.msg === "listening" && line.port !== undefined) this.ports.push(line.port);
    for (const hearer of this.#hearers) hearer(line);
  }

  /** Resolves with the next line of the log that `is` so. Rejects when the process ends first. */
  next(is: (line: Line) => boolean): Promise<Line> {
    return new Promise((resolve, reject) => {
      const hearer = (line: Line): void => {
        if (!is(line)) return;
        this.#hearers.delete(hearer);
        resolve(line);
      };
      this.#hearers.add(hearer);
      void this.ended.then(({ code, signal }) =>
        reject(new Error(`the server ended with ${signal ?? code}: ${this.said}${this.complaints.join("\n")}`)),
      );
    });
  }

  /** Resolves once that many listeners listen. */
  async listens(listeners = 1): Promise<this> {
    if (this.ports.length < listeners) await this.next(() => this.ports.length >= listeners);
    return this;
  }

  /** Resolves when the first of its listeners says 220. */
  async greets(from: number): Promise<Greeted> {
    await this.listens();
    const socket = connect(this.ports[0] ?? 0, "127.0.0.1");
    const greeting = once(socket, "data").then(String, String);
    const heard = await Promise.race([greeting, this.ended.then(() => "its end")]);
    const milliseconds = performance.now() - from;
    socket.on("error", () => {}).destroy();
    if (!heard.startsWith("220 ")) throw new Error(`it greeted with ${heard}`);
    return { milliseconds, starved: starvation(this.pid) };
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

function lineOf(text: string): Line | undefined {
  try {
    const line: unknown = JSON.parse(text);
    // pino's own fields stand in every line
    return typeof line === "object" && line !== null && "level" in line ? (line as Line) : undefined;
  } catch {
    return undefined;
  }
}

/** Of the main thread: the second number of schedstat is nanoseconds on a run queue. */
function starvation(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / 1e6;
  } catch {
    return 0;
  }
}
