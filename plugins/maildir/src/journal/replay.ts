import { ConfigurationError, type Log } from "@mailhost/core";
import { errorCode } from "../error-code.ts";
import { join } from "node:path";
import { type Files, removeFile } from "../files.ts";
import { journalsFolder, ours, removeFolder } from "./home.ts";
import { isAlive, isOwned, isThisRun, ownName } from "./owner.ts";
import { type Outlet, folderOf, isWhole, put } from "./put.ts";
import { type Owed, type Reading, readJournal, readOwed } from "./reading.ts";
import { type Target, contentOf } from "./record.ts";
import { type Shown, namesIn, settle } from "./settle.ts";

/** What is left of a journal in which something is broken is kept under its name and this. */
const keptAside = ".broken";

/** Puts out what journals of processes that are no more still owe. Comes before anything is taken. */
export async function replay(outlet: Outlet, log: Log): Promise<void> {
  const above = join(outlet.root, journalsFolder);
  for (const name of (await namesIn(outlet.files, above)).keys()) {
    const path = join(above, name);
    if (name.endsWith(keptAside))
      log.warn({ journal: path }, "a journal that was broken is kept here: see docs/operate.md");
    if (!isOwned(name) || ours.has(path)) continue;
    await checkOwner(outlet.files, path);
    if (await isAlive(outlet.files, name, path)) continue;
    await take(outlet, log, above, name);
  }
  await removeFolder(outlet.files, above);
}

/** Mail that was put out by another user could not be read by its owner. */
async function checkOwner(files: Files, path: string): Promise<void> {
  const { uid } = await files.lstat(path);
  const own = process.getuid?.() ?? uid;
  if (uid === own) return;
  throw new ConfigurationError([
    {
      code: "BAD_OPTION",
      where: "options.root",
      what: `${path} holds mail that user ${uid} acknowledged, and this is user ${own}`,
      mend: "Run as the user the server runs as.",
    },
  ]);
}

/** Whoever renames it has it: of two that start, one. */
async function take(outlet: Outlet, log: Log, above: string, name: string): Promise<void> {
  const { files } = outlet;
  const path = join(above, await ownName());
  ours.add(path);
  try {
    if (!(await renamed(files, join(above, name), path))) return;
    const { owed, broken } = await putOut(outlet, path, await isThisRun(name));
    const messages = owed.length;
    log.info({ journal: name, messages }, "mail that a killed server had acknowledged is put out from its journal");
    if (broken.length === 0) return await remove(files, path);
    const kept = join(above, `${name}${keptAside}`);
    await files.rename(path, kept);
    log.error({ journal: kept, broken }, "a journal is broken: what could be read of it is put out, and it is kept");
  } finally {
    ours.delete(path);
  }
}

async function renamed(files: Files, from: string, to: string): Promise<boolean> {
  try {
    await files.rename(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

const pathsIn = async (files: Files, folder: string): Promise<string[]> =>
  [...(await namesIn(files, folder)).values()].map((name) => join(folder, name));

async function remove(files: Files, folder: string): Promise<void> {
  for (const path of await pathsIn(files, folder)) await removeFile(files, path);
  await removeFolder(files, folder);
}

/** Puts out each message that is owed and not there, and makes all of them durable. */
async function putOut(outlet: Outlet, folder: string, sameRun: boolean): Promise<Reading> {
  const { files } = outlet;
  const reading = await readJournal(files, await pathsIn(files, folder));
  const there = new Present(outlet);
  const copies: Shown[] = [];
  const doubtful: { one: Owed; target: Target }[] = [];
  for (const one of reading.owed) {
    const content = contentOf(await readOwed(files, one));
    for (const target of content.targets) {
      const path = await there.find(target);
      // What was shown in this run of the system and is gone, a reader has deleted. In another one only octets prove a file
      if (path === undefined ? !(one.shown && sameRun) : !sameRun && !(await isWhole(files, path, content, target))) {
        await outlet.folders.open(target, []); // follows no link
        await put(outlet, content, target, { over: path });
      }
      copies.push({ target, failed: () => void doubtful.push({ one, target }) });
    }
  }
  await settle(outlet, copies);
  for (const { one, target } of doubtful)
    await put(outlet, contentOf(await readOwed(files, one)), target, { fsync: true, over: await there.find(target) });
  return reading;
}

/** What mailboxes held before the first message was put out. */
class Present {
  readonly #outlet: Outlet;
  readonly #folders = new Map<string, Map<string, string>>();

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  /** The path of a copy, wherever a reader has moved it inside its mailbox. */
  async find(target: Target): Promise<string | undefined> {
    const folder = folderOf(this.#outlet, target);
    let paths = this.#folders.get(folder);
    if (paths === undefined) {
      paths = new Map();
      for (const part of ["new", "cur"].map((name) => join(folder, name)))
        for (const [name, full] of await namesIn(this.#outlet.files, part)) paths.set(name, join(part, full));
      this.#folders.set(folder, paths);
    }
    return paths.get(target.name);
  }
}
