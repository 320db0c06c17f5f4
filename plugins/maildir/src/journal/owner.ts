import { errorCode } from "@mailhost/core";
import { randomBytes } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import type { Files } from "../files.ts";

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

const orNothing = (text: Promise<string>): Promise<string> => text.catch(() => "");

/** The third field and those behind it; the second may hold blanks and brackets (proc(5)). None for nobody. */
async function fieldsOf(pid: number | "self"): Promise<readonly string[]> {
  const text = await orNothing(readFile(`/proc/${pid}/stat`, "latin1"));
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

const startIn = (fields: readonly string[]): string => fields[19] ?? "";

/** PF_EXITING of Linux, and SIGKILL among the signals that wait. */
const [exiting, killed] = [0x4, 0x100n];

/**
 * Whether a process that began then is there, and not killed and on its way out, or out and nobody has asked what became
 * of it: its number stays until somebody does, and in a container that may be never.
 */
async function isRunning(pid: number, started: string): Promise<boolean> {
  // First what waits for it: once that is taken from there, it has begun to exit
  const status = await orNothing(readFile(`/proc/${pid}/status`, "latin1"));
  const fields = await fieldsOf(pid);
  const [state = "", , , , , , flags] = fields;
  if (startIn(fields) !== started || state === "Z" || state === "X" || (Number(flags) & exiting) > 0) return false;
  return [...status.matchAll(/^(?:Sig|Shd)Pnd:\s*([0-9a-f]+)/gm)].every(
    ([, pending]) => (BigInt(`0x${pending}`) & killed) === 0n,
  );
}

async function self(): Promise<Owner> {
  const [fields, namespace, boot] = await Promise.all([
    fieldsOf("self"),
    orNothing(readlink("/proc/self/ns/pid")),
    orNothing(readFile("/proc/sys/kernel/random/boot_id", "latin1")),
  ]);
  return {
    pid: process.pid,
    started: startIn(fields),
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
