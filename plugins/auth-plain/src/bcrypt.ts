import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";

// bcryptjs computes in JavaScript: on the main thread one login would hold up every other connection
const program = `
  const { parentPort, workerData } = require("node:worker_threads");
  const { compareSync } = require(workerData);
  parentPort.on("message", ({ id, password, hash }) => parentPort.postMessage({ id, matched: compareSync(password, hash) }));
`;

interface Waiting {
  readonly resolve: (matched: boolean) => void;
  readonly reject: (error: Error) => void;
}

let worker: Worker | undefined;
let nextId = 0;
const waiting = new Map<number, Waiting>();

/** Compares on a thread of its own, one after the other. bcrypt reads the first 72 octets of a password. */
export function compareBcrypt(password: string, hash: string): Promise<boolean> {
  const thread = (worker ??= start());
  const id = (nextId += 1);
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    thread.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
    thread.postMessage({ id, password, hash });
  });
}

function start(): Worker {
  const path = createRequire(import.meta.url).resolve("bcryptjs");
  // No options of the parent's: a loader for TypeScript is not needed there
  const thread = new Worker(program, { eval: true, workerData: path, execArgv: [] });
  thread.on("message", ({ id, matched }: { id: number; matched: boolean }) => {
    waiting.get(id)?.resolve(matched);
    waiting.delete(id);
    if (waiting.size === 0) thread.unref();
  });
  thread.on("error", () => {}); // followed by exit, which tells those who wait
  thread.on("exit", () => {
    worker = undefined;
    for (const { reject } of waiting.values()) reject(new Error("the bcrypt thread ended"));
    waiting.clear();
  });
  return thread;
}
