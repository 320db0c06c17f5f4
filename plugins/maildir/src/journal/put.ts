import { errorCode } from "@mailhost/core";
import { constants } from "node:fs";
import { join } from "node:path";
import { type Files, newFileFlags, removeFile, syncFolder } from "../files.ts";
import type { Folders } from "../folders.ts";
import { placePath } from "../mailbox.ts";
import { uniqueName } from "../unique-name.ts";
import type { Content, Target } from "./record.ts";

/** What files are put out with. */
export interface Outlet {
  readonly files: Files;
  readonly root: string;
  /** Makes a mailbox that is gone, whatever `create` says: its mail was acknowledged. */
  readonly folders: Folders;
  readonly now: () => number;
}

export const folderOf = ({ root }: Outlet, target: Target): string => placePath(root, target);

/** Puts one copy into `new`, in `tmp` first. With `fsync`, it and its name are on the disk then. */
export async function put(outlet: Outlet, content: Content, target: Target, fsync = false): Promise<void> {
  const { files, folders } = outlet;
  const unique = uniqueName(outlet.now());
  let folder = folderOf(outlet, target);
  let tmp = join(folder, "tmp", unique);
  try {
    try {
      await write(files, tmp, content, target, fsync);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
      // Somebody removed the mailbox since the message was staged
      folder = await folders.open(target, []);
      tmp = join(folder, "tmp", unique);
      await write(files, tmp, content, target, fsync);
    }
    await files.rename(tmp, join(folder, "new", target.name));
  } catch (error) {
    await removeFile(files, tmp).catch(() => {});
    throw error;
  }
  if (fsync) await syncFolder(files, join(folder, "new"));
}

async function write(
  files: Files,
  path: string,
  { body, mode }: Content,
  { top }: Target,
  fsync: boolean,
): Promise<void> {
  const file = await files.open(path, newFileFlags, 0o600);
  try {
    if (mode !== 0o600) await file.chmod(mode); // the umask took from it
    const octets = Buffer.concat([Buffer.from(top, "utf8"), body]);
    for (let at = 0; at < octets.length;) {
      const { bytesWritten } = await file.write(octets, at);
      if (bytesWritten === 0) throw new Error("the file takes no more"); // or this would go on for ever
      at += bytesWritten;
    }
    if (fsync) await file.sync();
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
