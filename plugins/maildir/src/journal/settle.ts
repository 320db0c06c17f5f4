import { errorCode } from "../error-code.ts";
import { Limiter } from "../limiter.ts";
import { type Files, syncFolder } from "../files.ts";
import { below } from "../place.ts";
import { type Outlet, folderOf, syncFile } from "./put.ts";
import type { Target } from "./record.ts";

/** Files synced at once: the log and the copies under way need threads too. */
const mostSyncs = 2;

/** One copy that was shown. */
export interface Shown {
  readonly target: Target;
  /** Its file could not be made durable. */
  readonly failed: (error: unknown) => void;
}

/**
 * Makes copies durable, wherever readers have moved them inside their mailbox. What is no longer there was read and
 * deleted. Each file that fails is told; the file system's error about a folder rejects.
 */
export async function settle(outlet: Outlet, copies: readonly Shown[]): Promise<void> {
  const limiter = new Limiter(mostSyncs);
  const folders = new Map<string, Shown[]>();
  for (const copy of copies) {
    const folder = folderOf(outlet, copy.target);
    const here = folders.get(folder);
    if (here === undefined) folders.set(folder, [copy]);
    else here.push(copy);
  }
  for (const [folder, here] of folders) await settleFolder(outlet.files, folder, here, limiter);
}

async function settleFolder(files: Files, folder: string, copies: readonly Shown[], limiter: Limiter): Promise<void> {
  /** Those that are not where they were looked for. */
  const sync = async (some: readonly Shown[], path: (copy: Shown) => string): Promise<Shown[]> => {
    const gone: Shown[] = [];
    const failed = (copy: Shown, error: unknown): void =>
      errorCode(error) === "ENOENT" ? void gone.push(copy) : copy.failed(error);
    const syncOne = (copy: Shown): Promise<void> =>
      limiter.run(() => syncFile(files, path(copy))).catch((error: unknown) => failed(copy, error));
    await Promise.all(some.map(syncOne));
    return gone;
  };
  let moved = await sync(copies, ({ target }) => below(below(folder, "new"), target.name));
  if (moved.length < copies.length) await syncFolder(files, below(folder, "new"));
  // Flags are part of a name there, and a reader may change them just now
  const cur = below(folder, "cur");
  for (let look = 0; moved.length > 0 && look < 3; look += 1) {
    const names = await namesIn(files, cur);
    const read = moved.filter(({ target }) => names.has(target.name));
    if (read.length === 0) return;
    moved = await sync(read, ({ target }) => below(cur, names.get(target.name) ?? target.name));
    await syncFolder(files, cur);
  }
}

/** Names in a folder without the flags that readers put behind them, and as they are. */
export async function namesIn(files: Files, folder: string): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  try {
    for await (const { name } of await files.opendir(folder)) names.set(name.replace(/:.*$/s, ""), name);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
  return names;
}
