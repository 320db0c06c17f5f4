import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import * as files from "node:fs/promises";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { isAlive, ownName } from "../src/journal/owner.ts";

/** The name of a folder that a running process would have. */
async function nameFor(pid: number): Promise<string> {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  const started = text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
  return (await ownName()).replace(/^P\d+T\d+/, `P${pid}T${started}`);
}

function shell(script: string): ChildProcess {
  const child = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "ignore"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

const isOver = (pid: number): boolean => /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));

test.skipIf(process.platform !== "linux")("who runs lives, who is killed does not", async () => {
  for (let times = 0; times < 20; times += 1) {
    const { pid = 0 } = shell("exec sleep 30");
    const name = await nameFor(pid);
    expect(await isAlive(files, name, "")).toBe(true);
    process.kill(pid, "SIGKILL");
    await expect.poll(() => isAlive(files, name, ""), { interval: 1, timeout: 5000 }).toBe(false);
  }
});

test.skipIf(process.platform !== "linux")("whose end nobody asked for is dead", async () => {
  const parent = shell("sleep 0.2 & echo $!; exec sleep 30");
  const [said] = (await once(parent.stdout ?? parent, "data")) as [Buffer]; // the first line
  const pid = Number(String(said));
  const name = await nameFor(pid);
  expect(await isAlive(files, name, "")).toBe(true);
  await expect.poll(() => isOver(pid), { timeout: 5000 }).toBe(true);
  expect(await isAlive(files, name, "")).toBe(false);
});

test.skipIf(process.platform !== "linux")("another process of that number is not its owner", async () => {
  const { pid = 0 } = shell("exec sleep 30");
  const name = (await nameFor(pid)).replace(/T\d+/, "T1");
  expect(await isAlive(files, name, "")).toBe(false);
});
