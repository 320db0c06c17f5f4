import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach } from "vitest";

const bin = fileURLToPath(new URL("../bin/mailhost.js", import.meta.url));
// Within the repository, so that a plugin file may import @mailhost/core
const root = fileURLToPath(new URL("./.cases", import.meta.url));
const made: string[] = [];

/** A new folder with the given files. */
export function folder(files: Readonly<Record<string, string>> = {}): string {
  mkdirSync(root, { recursive: true });
  const path = mkdtempSync(join(root, "case-"));
  made.push(path);
  write(path, files);
  return path;
}

export function write(path: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
}

afterAll(() => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface RunOptions {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** Without the rights of root, if the tests have them. */
  readonly unprivileged?: true;
  /** Becomes descriptor 3, as from systemd. */
  readonly hand?: number;
}

/** What root may do and others may not: reading what is forbidden, ports below 1024. setpriv (util-linux) takes it away. */
const without = ["--bounding-set", "-dac_override,-dac_read_search,-net_bind_service"];

const isRoot = process.getuid?.() === 0;

/** Whether a command can be run as somebody without root's rights. */
export const canDropRights = !isRoot || spawnSync("setpriv", [...without, "true"]).status === 0;

function launch(args: readonly string[], { cwd, env, unprivileged, hand }: RunOptions): ChildProcess {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(MAILHOST_|NODE_OPTIONS|VITEST)/.test(name)),
  );
  const command = [process.execPath, bin, ...args];
  const [program = "", ...rest] = unprivileged === true && isRoot ? ["setpriv", ...without, ...command] : command;
  return spawn(program, rest, {
    cwd,
    env: { ...inherited, NO_COLOR: "1", ...env },
    stdio: ["pipe", "pipe", "pipe", ...(hand === undefined ? [] : [hand])],
  });
}

/** Runs the real command to its end. */
export function run(args: readonly string[], options: RunOptions): Promise<Ran> {
  const child = launch(args, options);
  const { out, err } = listen(child);
  child.stdin?.end(options.input ?? "");
  return new Promise((resolve) => {
    child.once("close", (code) => resolve({ code, out: out.join(""), err: err.join("") }));
  });
}

function listen(child: ChildProcess): { out: string[]; err: string[] } {
  const out: string[] = [];
  const err: string[] = [];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => out.push(text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => err.push(text));
  return { out, err };
}

/** A server that the real command started. */
export interface Served {
  readonly process: ChildProcess;
  readonly ports: readonly number[];
  out(): string;
  err(): string;
  /** Resolves once `holds`, checked whenever the server writes something. */
  until(holds: (text: string) => boolean): Promise<void>;
  ended(): Promise<number | null>;
}

const serving = new Set<ChildProcess>();

afterEach(() => {
  for (const child of serving) child.kill("SIGKILL");
  serving.clear();
});

/** Starts the real command and waits until it listens on `listeners` ports. */
export async function serve(args: readonly string[], options: RunOptions & { listeners?: number }): Promise<Served> {
  const child = launch(["start", ...args], options);
  serving.add(child);
  const { out, err } = listen(child);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const all = (): string => out.join("") + err.join("");
  const until = (holds: (text: string) => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        if (!holds(all())) return;
        for (const stream of [child.stdout, child.stderr]) stream?.off("data", check);
        resolve();
      };
      for (const stream of [child.stdout, child.stderr]) stream?.on("data", check);
      void ended.then((code) => reject(new Error(`the server ended with ${code}\n${all()}`)));
      check();
    });
  const ports = (): number[] => [...all().matchAll(/"port":(\d+),"msg":"listening"/g)].map(([, port]) => Number(port));
  await until(() => ports().length >= (options.listeners ?? 1));
  return {
    process: child,
    ports: ports(),
    out: () => out.join(""),
    err: () => err.join(""),
    until,
    ended: () => ended,
  };
}

/** A plugin that takes everything and writes each message's recipients to `taken` in its folder. */
export const takesAll = `
import { appendFileSync } from "node:fs";
import { type Placement, definePlugin } from "@mailhost/core";
export default definePlugin({
  name: "takes-all",
  version: "1.2.3",
  core: "^1.0.0",
  apply(host) {
    host.extend({ transports: [{ kind: "local", phases: "two" }], permits: [{ kind: "local", what: "catchAll", anyDomain: true }] });
    host.hooks.rcpt.tap("takes-all", (recipient) => {
      recipient.permit("local");
      recipient.routeTo({ transport: host.name });
    });
    host.hooks.queue.for(host.name).tap("takes-all", (delivery) => {
      const recipients = delivery.recipients.map(({ address }) => address.localPart).join(" ");
      delivery.stage({ commit: () => appendFileSync("taken", host.name + ": " + recipients + "\\n"), abort() {} });
    });
  },
});
const unused: Placement = {};
void unused;
`;
