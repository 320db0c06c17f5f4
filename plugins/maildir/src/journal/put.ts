import { errorCode } from "../error-code.ts";
import { constants } from "node:fs";
import { dirname } from "node:path";
import { type Files, newFileFlags, removeFile, syncFolder } from "../files.ts";
import type { Folders } from "../folders.ts";
import { type Maildir, below, maildirAt, placePath } from "../place.ts";
import { uniqueName } from "../unique-name.ts";
import type { Content, Target } from "./record.ts";
import { readAll, writePieces } from "./segment.ts";

/** What files are put out with. */
export interface Outlet {
  readonly files: Files;
  readonly root: string;
  /** Makes a mailbox that is gone, whatever `create` says: its mail was acknowledged. */
  readonly folders: Folders;
  readonly now: () => number;
}

export const folderOf = ({ root }: Outlet, target: Target): string => placePath(root, target);

export interface Manner {
  /** It and its name are on the disk then. */
  readonly fsync?: boolean;
  /** The file it takes the place of; one in `new` unless told otherwise. */
  readonly over?: string | undefined;
}

/** Puts out one copy, in `tmp` first. */
export async function put(outlet: Outlet, content: Content, target: Target, manner: Manner = {}): Promise<void> {
  const unique = uniqueName(outlet.now());
  try {
    await putInto(outlet.files, maildirAt(folderOf(outlet, target)), unique, content, target, manner);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    // Somebody removed the mailbox since the message was staged, or a part. It may end up in the inbox, where nobody looks for it
    const maildir = await outlet.folders.look(target, []);
    await putInto(outlet.files, maildir, unique, content, target, { ...manner, fsync: true });
  }
}

async function putInto(
  files: Files,
  maildir: Maildir,
  unique: string,
  content: Content,
  target: Target,
  { fsync = false, over }: Manner,
): Promise<void> {
  const tmp = below(maildir.tmp, unique);
  try {
    await write(files, tmp, content, target, fsync);
    const path = over ?? below(maildir.new, target.name);
    await files.rename(tmp, path);
    if (fsync) await syncFolder(files, dirname(path));
  } catch (error) {
    await removeFile(files, tmp).catch(() => {});
    throw error;
  }
}

const piecesOf = ({ body }: Content, { top }: Target): Uint8Array[] => [Buffer.from(top, "utf8"), body];

async function write(files: Files, path: string, content: Content, target: Target, fsync: boolean): Promise<void> {
  const { mode } = content;
  const file = await files.open(path, newFileFlags, 0o600);
  try {
    if (mode !== 0o600) await file.chmod(mode); // the umask took from it
    await writePieces(file, piecesOf(content, target), 0);
    if (fsync) await file.sync();
  } finally {
    await file.close();
  }
}

/** Whether a file holds that copy and nothing else. After a power cut it may hold zeros, or end too early. */
export async function isWhole(files: Files, path: string, content: Content, target: Target): Promise<boolean> {
  const octets = Buffer.concat(piecesOf(content, target));
  const file = await files.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return (await readAll(file, 0, octets.length + 1)).equals(octets);
  } finally {
    await file.close();
  }
}

/** Makes one file durable that is there already. Rejects with the file system's error, ENOENT among them. */
export async function syncFile(files: Files, path: string): Promise<void> {
  const file = await files.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
