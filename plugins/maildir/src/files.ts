import type { Stats } from "node:fs";
import { constants } from "node:fs";
import { errorCode } from "./error-code.ts";

/** What of an open file is used. */
export interface OpenFile {
  write(octets: Uint8Array, offset?: number, length?: number, position?: number): Promise<{ bytesWritten: number }>;
  writev(pieces: readonly Uint8Array[], position?: number): Promise<{ bytesWritten: number }>;
  read(octets: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  chmod(mode: number): Promise<void>;
  stat(): Promise<Stats>;
  sync(): Promise<void>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** What a folder holds. */
export interface FolderEntry {
  readonly name: string;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** What of the file system is used: `node:fs/promises`, the same with calls that block, or one that fails on purpose. */
export interface Files {
  access(path: string, mode: number): Promise<void>;
  chmod(path: string, mode: number): Promise<void>;
  lstat(path: string): Promise<Stats>;
  mkdir(path: string, options?: number | { recursive: boolean; mode: number }): Promise<string | undefined | void>;
  open(path: string, flags: string | number, mode?: number): Promise<OpenFile>;
  opendir(path: string): Promise<AsyncIterable<FolderEntry> | Iterable<FolderEntry>>;
  rename(from: string, to: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  stat(path: string): Promise<Stats>;
  unlink(path: string): Promise<void>;
  utimes(path: string, atime: number, mtime: number): Promise<void>;
}

/** A new file for writing. Never one that was there, never through a link. */
export const newFileFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

const unsupported = new Set(["EINVAL", "ENOTSUP", "ENOSYS"]);

/** Makes the entries of a folder durable, on file systems that know how. */
export async function syncFolder(files: Files, path: string): Promise<void> {
  const folder = await files.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await syncEntries(folder);
  } finally {
    await folder.close();
  }
}

/** As `syncFolder`, of a folder that is open. */
export async function syncEntries(folder: OpenFile): Promise<void> {
  try {
    await folder.sync();
  } catch (error) {
    if (!unsupported.has(errorCode(error))) throw error;
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
