import { errorCode } from "./error-code.ts";
import { join } from "node:path";
import type { Files } from "./files.ts";
import { isOrphan } from "./unique-name.ts";

/** The Maildir specification: what lies in `tmp` for 36 hours is a failed delivery. */
const staleAfter = 36 * 60 * 60 * 1000;

export interface Sweep {
  readonly files: Files;
  readonly root: string;
  /** Folders between the root and a Maildir++ folder. */
  readonly depth: number;
  readonly now: number;
  readonly signal: AbortSignal;
  /** Hears of each folder that could not be swept: `lost+found` must not keep the others dirty. */
  readonly complain: (folder: string, error: unknown) => void;
}

/**
 * Removes failed deliveries from every `tmp` below the root: files older than 36 hours, and files named by a process
 * of this host that is no more. Whatever a living process may be writing stays. Gives the number of files removed.
 */
export async function sweep(work: Sweep, folder = work.root, level = 0): Promise<number> {
  if (work.signal.aborted) return 0;
  const names = await folderNames(work, folder);
  let removed = 0;
  const isMaildir = ["tmp", "new", "cur"].every((name) => names.includes(name));
  if (isMaildir) removed += await sweepTmp(work, join(folder, "tmp"));
  if (level === work.depth) return removed;
  for (const name of names) {
    const inside = isMaildir ? name.startsWith(".") : true;
    if (inside) removed += await sweep(work, join(folder, name), level + 1);
  }
  return removed;
}

/** Folders only: a link is none. */
async function folderNames({ files, complain }: Sweep, folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of await files.opendir(folder)) if (entry.isDirectory()) names.push(entry.name);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") complain(folder, error);
  }
  return names;
}

async function sweepTmp(work: Sweep, tmp: string): Promise<number> {
  let removed = 0;
  try {
    for await (const entry of await work.files.opendir(tmp)) {
      if (work.signal.aborted) break;
      if (entry.isFile() && (await sweepFile(work, tmp, entry.name))) removed += 1;
    }
  } catch (error) {
    work.complain(tmp, error);
  }
  return removed;
}

async function sweepFile({ files, now }: Sweep, tmp: string, name: string): Promise<boolean> {
  const path = join(tmp, name);
  try {
    const { atimeMs, mtimeMs } = await files.lstat(path);
    const stale = now - Math.max(atimeMs, mtimeMs) > staleAfter;
    if (!stale && !(await isOrphan(name))) return false;
    await files.unlink(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false; // its delivery went on, or somebody else swept
    throw error;
  }
}
