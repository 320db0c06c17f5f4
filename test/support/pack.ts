import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, inject } from "vitest";
import { type Ran, run } from "./run.ts";

export const root = join(import.meta.dirname, "../..");
export const bin = join(root, "node_modules/.bin");
export const folders: readonly string[] = [
  "core",
  "testkit",
  "cli",
  ...readdirSync(join(root, "plugins")).map((name) => `plugins/${name}`),
];

/** Nothing of this run: a program that is tested is somebody else's. */
const foreign: NodeJS.ProcessEnv = { NODE_OPTIONS: "", VITEST: undefined, NODE_ENV: undefined };

/** Runs npm in a folder. Rejects with what it printed when it fails. */
export async function npm(cwd: string, ...args: readonly string[]): Promise<Ran> {
  const quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--prefer-offline"];
  const ran = await run("npm", [...args, ...quiet], "", foreign, 240, cwd);
  if (ran.code !== 0) throw new Error(`npm ${args.join(" ")} in ${cwd}: ${ran.stdout}${ran.stderr}`);
  return ran;
}

/** The tarballs of every package here, built and packed once for all tests of a run. */
export async function packAll(): Promise<string[]> {
  const folder = inject("packedFolder");
  const ready = join(folder, "tarballs");
  try {
    mkdirSync(join(folder, "lock"));
  } catch {
    while (!existsSync(ready)) {
      if (existsSync(join(folder, "failed"))) throw new Error(readFileSync(join(folder, "failed"), "utf8"));
      await sleep(100);
    }
    return tarballsIn(ready);
  }
  try {
    const built = await run(join(bin, "tsc"), ["-b", root], "", {}, 120);
    if (built.code !== 0) throw new Error(built.stdout);
    const making = join(folder, "making");
    mkdirSync(making);
    await npm(root, "pack", "--workspaces", "--pack-destination", making);
    renameSync(making, ready);
  } catch (error) {
    writeFileSync(join(folder, "failed"), String(error));
    throw error;
  }
  return tarballsIn(ready);
}

const tarballsIn = (folder: string): string[] => readdirSync(folder).map((name) => join(folder, name));

/** An empty folder outside of the repository, removed when all tests are over. */
export const emptyFolder = (name: string): string => mkdtempSync(join(inject("packedFolder"), `${name}-`));

/** Runs `work` while `mailhost start` of that folder serves on a port, then ends it. */
export async function whileServing<T>(folder: string, work: (port: number, command: string) => Promise<T>): Promise<T> {
  const command = join(folder, "node_modules/.bin/mailhost");
  const child = spawn(command, ["start", "--json-logs"], { cwd: folder, env: { ...process.env, ...foreign } });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  try {
    return await work(await listeningPort(child), command);
  } finally {
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
  }
}

/** Waits for the first `listening on …:port` in what the server prints. */
function listeningPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = "";
    const look = (octets: Buffer): void => {
      said += octets.toString();
      const found = /127\.0\.0\.1:(\d+)/.exec(said) ?? /"port":(\d+)/.exec(said);
      if (found?.[1] !== undefined) resolve(Number(found[1]));
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    child.once("exit", (code) => reject(new Error(`mailhost start ended with ${code}:\n${said}`)));
  });
}
