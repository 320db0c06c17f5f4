import { constants } from "node:fs";
import type * as promises from "node:fs/promises";
import { errorCode } from "@mailhost/core";

/** What of the file system is used: `node:fs/promises`, or one that fails on purpose. */
export type Files = Pick<
  typeof promises,
  "access" | "chmod" | "lstat" | "mkdir" | "open" | "opendir" | "rename" | "rmdir" | "stat" | "unlink" | "utimes"
>;

/** A new file for writing. Never one that was there, never through a link. */
export const newFileFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

const unsupported = new Set(["EINVAL", "ENOTSUP", "ENOSYS"]);

/** Makes the entries of a folder durable, on file systems that know how. */
export async function syncFolder(files: Files, path: string): Promise<void> {
  const folder = await files.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } catch (error) {
    if (!unsupported.has(errorCode(error))) throw error;
  } finally {
    await folder.close();
  }
}

/** Removes a file that may be gone already. */
export async function removeFile(files: Files, path: string): Promise<void> {
  try {
    await files.unlink(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}
