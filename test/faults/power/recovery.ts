import { syncBuiltinESMExports } from "node:module";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import timers from "node:timers/promises";
import { FileCalls } from "../file-calls.ts";
import { House } from "../house.ts";
import type { Tree } from "./disk.ts";
import { type Recorded, recordedIn, scenarioOf } from "./record.ts";
import { Recorder } from "./recorder.ts";

/** What a server that starts on what the cut left makes of it: all files, then those of the mailboxes once it is closed. */
export interface Recovery {
  readonly started: Tree;
  readonly closed: Tree;
  /** The reply to the next message, where one was handed in. */
  readonly reply: string | undefined;
}

/** Starts a server on a real folder that looks as the cut left it. */
export async function recover(street: string, { life }: Recorded, left: Tree, takesMore: boolean): Promise<Recovery> {
  const folder = mkdtempSync(join(street, "left-"));
  layOut(folder, left);
  const house = new House(street, scenarioOf(life), undefined, join(folder, "srv", "house"));
  const calls = new FileCalls(street); // which syncs nothing
  await impatiently(() => house.server.prepare());
  const started = treeIn(folder);
  const reply = takesMore ? await house.handIn("after") : undefined;
  await house.server.close();
  const closed = treeIn(folder);
  calls.release();
  rmSync(folder, { recursive: true });
  return { started, closed, reply };
}

/** As the start of that server, with everything that it asks of the disk: the power may be cut once more. */
export async function recordRecovery(
  street: string,
  { life, log }: Recorded,
  moment: number,
  left: Tree,
): Promise<Recorded> {
  const folder = mkdtempSync(join(street, "left-"));
  layOut(folder, left);
  const house = new House(street, scenarioOf(life), undefined, join(folder, "srv", "house"));
  const calls = new FileCalls(street);
  const recorder = new Recorder(folder);
  // What clients were told before the first cut holds at every later one
  for (const step of log.steps)
    if (step.kind === "told" && step.ended <= moment) recorder.told(step.subject, step.code);
  calls.meet = (call) => recorder.meet(call);
  await impatiently(() => house.server.prepare());
  await calls.idle();
  calls.release();
  await house.close();
  const recorded = recordedIn(folder, life, house, recorder);
  rmSync(folder, { recursive: true, force: true });
  return recorded;
}

/** The system has started anew since: nothing of the journal's owner can be alive. */
const inAnotherRun = (path: string): string => path.replace(/(?<=\/P\d+T\d*N\d*B)[0-9a-f]*(?=R)/, "0");

function layOut(folder: string, left: Tree): void {
  for (const [name, content] of left) {
    const path = join(folder, inAnotherRun(name));
    mkdirSync(content === "folder" ? path : dirname(path), { recursive: true });
    if (content === "folder") continue;
    const file = openSync(path, "w", 0o600);
    let used = content.length; // a file full of zeros costs no room
    while (used > 0 && content[used - 1] === 0) used -= 1;
    writeSync(file, content, 0, used);
    ftruncateSync(file, content.length);
    closeSync(file);
  }
}

function treeIn(folder: string): Tree {
  const tree: Tree = new Map();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (/\/new$|\/cur$/.test(entry.parentPath)) tree.set(relative(folder, path), readFileSync(path));
  }
  return tree;
}

/** Nobody waits for the owner of a journal to show that it lives. */
async function impatiently<T>(work: () => Promise<T>): Promise<T> {
  const { setTimeout } = timers;
  Object.assign(timers, { setTimeout: () => Promise.resolve() });
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    Object.assign(timers, { setTimeout });
    syncBuiltinESMExports();
  }
}
