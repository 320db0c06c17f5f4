import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { onTestFinished } from "vitest";

/** Ends with the test. */
export function shell(script: string): ChildProcess {
  const child = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "ignore"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

/** The number of a process that is over after a fifth of a second, and whose parent never asks what became of it. */
export async function unasked(): Promise<number> {
  const parent = shell("sleep 0.2 & echo $!; exec sleep 30");
  const [said] = (await once(parent.stdout ?? parent, "data")) as [Buffer]; // the first line
  return Number(String(said));
}

/** Over, with its number not given back (proc(5)). */
export const isOver = (pid: number): boolean => /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
