import type { Stats } from "node:fs";
import { errorCode } from "./error-code.ts";
import type { Files } from "./files.ts";

/** What tells a folder from another of its path: inodes are used again. */
export const identityOf = ({ ino, birthtimeMs }: Stats): string => `${ino} ${birthtimeMs}`;

/** That of the folder at a path, undefined when there is nothing. Rejects when it is a link or a file. */
export async function identityAt(files: Files, path: string): Promise<string | undefined> {
  try {
    const found = await files.lstat(path);
    if (found.isDirectory()) return identityOf(found);
    throw new Error(
      `${path} is ${found.isSymbolicLink() ? "a link, and links below the root are not followed" : "no folder"}`,
    );
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
