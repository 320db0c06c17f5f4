import { readFileSync } from "node:fs";
import * as files from "node:fs/promises";
import { expect, test } from "vitest";
import { isAlive, ownName } from "../src/journal/owner.ts";
import { isOver, shell, unasked } from "./processes.ts";

/** The name of a folder that a running process would have. */
async function nameFor(pid: number): Promise<string> {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  const started = text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
  return (await ownName()).replace(/^P\d+T\d+/, `P${pid}T${started}`);
}

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
  const pid = await unasked();
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
