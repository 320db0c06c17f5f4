import { errorCode } from "../error-code.ts";
import { randomBytes } from "node:crypto";
import { readlink } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import type { Files } from "../files.ts";
import { isRunning, ownBegin, saidBySystem } from "../process.ts";

/** How often an owner says that it lives, and how long one listens for it before taking it for dead. */
export const beatMilliseconds = 1000;
const listenMilliseconds = 5000;

/** A process, as far as others can tell it from the next of the same number. Empty where the system does not say. */
interface Owner {
  readonly pid: number;
  /** When it started, in ticks since the system did. */
  readonly started: string;
  /** The numbers of processes are its own (containers). */
  readonly namespace: string;
  /** One run of the system. */
  readonly boot: string;
}

const pattern = /^P(\d+)T(\d*)N(\d*)B([0-9a-f]*)R[0-9a-f]{16}$/;

const parse = (name: string): Owner | undefined => {
  const [, pid, started = "", namespace = "", boot = ""] = pattern.exec(name) ?? [];
  return pid === undefined ? undefined : { pid: Number(pid), started, namespace, boot };
};

async function self(): Promise<Owner> {
  const [started, namespace, boot] = await Promise.all([
    ownBegin(),
    readlink("/proc/self/ns/pid").catch(() => ""),
    saidBySystem("/proc/sys/kernel/random/boot_id"),
  ]);
  return {
    pid: process.pid,
    started,
    namespace: /\d+/.exec(namespace)?.[0] ?? "",
    boot: boot.replace(/[^0-9a-f]/g, ""),
  };
}

/** A name for a folder of this process's own. */
export async function ownName(): Promise<string> {
  const { pid, started, namespace, boot } = await self();
  return `P${pid}T${started}N${namespace}B${boot}R${randomBytes(8).toString("hex")}`;
}

export const isOwned = (name: string): boolean => pattern.test(name);

/** Whether the system still runs that the owner ran on: what it wrote is there then, synced or not. */
export async function isThisRun(name: string): Promise<boolean> {
  const { boot } = await self();
  return boot !== "" && parse(name)?.boot === boot;
}

/**
 * Whether the process that owns the folder of this name lives. Where its number says nothing (another container, another
 * machine on the same store) it is listened for: a living owner touches its folder every second.
 */
export async function isAlive(files: Files, name: string, path: string): Promise<boolean> {
  const owner = parse(name);
  if (owner === undefined) return false;
  const { pid, started, namespace, boot } = await self();
  const near = boot !== "" && owner.boot === boot && owner.namespace === namespace;
  // Those of this very process are in `ours`, or were given up
  if (near && owner.pid === pid && owner.started === started) return false;
  if (near) return isRunning(owner.pid, owner.started);
  const before = await lastBeat(files, path);
  await setTimeout(listenMilliseconds);
  return (await lastBeat(files, path)) !== before;
}

async function lastBeat(files: Files, path: string): Promise<number | undefined> {
  try {
    return (await files.lstat(path)).mtimeMs;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
