import { readdirSync, readlinkSync } from "node:fs";
import { createHook } from "node:async_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread } from "node:worker_threads";
import { describeError } from "@mailhost/core";
import { inPlugin } from "./probe.ts";
import type { Finding } from "./report.ts";

let collector: (() => void) | undefined;

/** Collects garbage now, with or without --expose-gc. What was touched in this turn stays. */
export function collect(): void {
  if (collector === undefined) {
    setFlagsFromString("--expose-gc");
    collector = runInNewContext("gc") as () => void; // the flag has made it
  }
  collector();
}

/** Collects all garbage there is. */
export async function collectGarbage(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    await nextTurn();
    collect();
  }
}

/** Collects until that is so, or four seconds are over: what a plugin does behind its answer may be under way. */
export async function collectUntil(gone: () => boolean): Promise<void> {
  for (let wait = 0; wait < 40 && !gone(); wait += 1) {
    await new Promise((resolve) => void setTimeout(resolve, 100));
    await collectGarbage();
  }
}

export const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Octets in use: objects and buffers. */
export const memoryOctets = (): number => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

/** Waits for that, and not longer. False when it took longer. */
export async function within(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), milliseconds)));
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

const fatal = ["unhandledRejection", "uncaughtException"] as const;

/** Milliseconds a forgotten promise or timer has to show itself. */
const grace = 30;

/** Those who look at what would end the process, and what listened before the first of them came. */
const watchers = new Set<(finding: Finding) => void>();
let before: { readonly event: (typeof fatal)[number]; readonly listeners: readonly unknown[] }[] = [];

/** Node's own complaints that are somebody's leak. */
const telling: readonly { readonly warning: RegExp; readonly mend: string }[] = [
  { warning: /^Closing (a FileHandle|file descriptor)/, mend: "Close every file that was opened, in a finally." },
  { warning: /^Possible EventEmitter memory leak/, mend: "Remove listeners when they have served, or add them once." },
];

const listenToWarnings = ({ message }: Error): void => {
  const known = telling.find(({ warning }) => warning.test(message));
  // Numbers of descriptors differ, the complaint does not
  const what = `Node warns: ${message.replace(/ descriptor \d+/, "")}`;
  if (known !== undefined) for (const watch of watchers) watch({ what, mend: known.mend });
};

function takeOver(): void {
  process.on("warning", listenToWarnings);
  before = fatal.map((event) => ({ event, listeners: process.rawListeners(event) }));
  for (const event of fatal) {
    const kind = event === "unhandledRejection" ? "a rejection nobody handled" : "an error outside of every tap";
    process.removeAllListeners(event);
    process.on(event, (error: unknown) => {
      for (const watch of watchers) watch({ what: `${kind}: ${withPlace(error)}`, mend: endsProcess });
    });
  }
}

function giveBack(): void {
  process.off("warning", listenToWarnings);
  for (const { event, listeners } of before) {
    process.removeAllListeners(event);
    // Raw listeners are what `on` takes
    for (const listener of listeners) process.on(event, listener as () => void);
  }
}

/** While it stands, what would end the process is a finding, whatever the test runner does with it. */
export function watchProcess(): { take: () => Finding[]; stop: () => Promise<Finding[]> } {
  let findings: Finding[] = [];
  const watch = (finding: Finding): void => void findings.push(finding);
  if (watchers.size === 0) takeOver();
  watchers.add(watch);
  const take = (): Finding[] => {
    const taken = findings;
    findings = [];
    return taken;
  };
  const stop = async (): Promise<Finding[]> => {
    await new Promise((resolve) => void setTimeout(resolve, grace));
    watchers.delete(watch);
    if (watchers.size === 0) giveBack();
    return take();
  };
  return { take, stop };
}

const endsProcess =
  "This ends the server's process. Await every promise of a tap, or catch it; catch in the callbacks of timers and emitters.";

/** An error with the first line of its stack that is not the engine's. */
export function withPlace(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? "").split("\n") : [];
  const place = stack.find((line) => /^\s+at /.test(line) && !/node:|tapable/.test(line))?.trim();
  const name = error instanceof Error ? `${error.name}: ` : "";
  return `${name}${describeError(error)}${place === undefined ? "" : ` (${place})`}`;
}

/** What keeps running or watching when nobody stops it. Files are seen elsewhere, requests end by themselves. */
const lasting = new Map([
  ["Timeout", "a timer"],
  ["FSEVENTWRAP", "a file watcher"],
  ["STATWATCHER", "a file watcher"],
  ["TCPWRAP", "a connection"],
  ["TCPSERVERWRAP", "a listening socket"],
  ["PIPEWRAP", "a pipe"],
  ["UDPWRAP", "a UDP socket"],
  ["PROCESSWRAP", "a child process"],
  ["WORKER", "a worker"],
  ["SIGNALWRAP", "a signal handler"],
]);

/** Notes what the plugin opens and does not close, with the place it was opened at. */
export function watchResources(): { left(): string[]; stop(): void } {
  const open = new Map<number, string>();
  const files = new Set(openFiles());
  const hook = createHook({
    init(id, type) {
      const what = lasting.get(type);
      if (what === undefined || inPlugin.getStore() === undefined) return;
      open.set(id, `${what}${placeOf(new Error("here").stack ?? "")}`);
    },
    destroy: (id) => void open.delete(id),
  }).enable();
  return {
    left: () => [
      ...open.values(),
      ...openFiles()
        .filter((file) => !files.has(file))
        .map((file) => `the file ${file}`),
    ],
    stop: () => void hook.disable(),
  };
}

function placeOf(stack: string): string {
  const line = stack
    .split("\n")
    .find((one) => /^\s+at /.test(one) && !one.includes("node:") && !one.includes(import.meta.dirname));
  return line === undefined ? "" : ` (${line.trim()})`;
}

/** Regular files this process has open, on systems that tell. In a worker those of the others would be among them. */
function openFiles(): string[] {
  if (!isMainThread) return [];
  try {
    return readdirSync("/proc/self/fd").flatMap((descriptor) => {
      try {
        const target = readlinkSync(`/proc/self/fd/${descriptor}`);
        return /^\/(?!dev\/|proc\/|memfd:)/.test(target) ? `${target} (descriptor ${descriptor})` : [];
      } catch {
        return []; // closed since it was listed
      }
    });
  } catch {
    return [];
  }
}
