import { constants } from "node:fs";
import { dirname, resolve } from "node:path";
import { ConfigurationError, type Problem } from "@mailhost/core";
import { errorCode } from "./error-code.ts";
import type { CopyOptions } from "./copy.ts";
import type { Files } from "./files.ts";
import type { FoldersOptions } from "./folders.ts";
import { type Naming, defaultNaming } from "./mailbox.ts";
import type { MaildirOptions } from "./maildir.ts";
import type { Quota } from "./quota.ts";

/** Options with nothing left out. */
export interface Settings extends Naming, FoldersOptions, CopyOptions {
  readonly quota: Quota | undefined;
  readonly journal: boolean;
}

export const readSettings = (options: MaildirOptions): Settings => ({
  root: resolve(options.root),
  path: options.path ?? defaultNaming.path,
  tags: options.tags ?? defaultNaming.tags,
  separator: options.separator ?? defaultNaming.separator,
  caseSensitive: options.caseSensitive ?? defaultNaming.caseSensitive,
  create: options.create ?? true,
  crlf: options.crlf ?? false,
  quota: options.quota,
  fileMode: mode(options.fileMode, 0o600),
  folderMode: mode(options.folderMode, 0o700),
  fsync: options.fsync ?? true,
  journal: options.journal ?? false,
});

const mode = (given: number | string | undefined, otherwise: number): number =>
  given === undefined ? otherwise : typeof given === "string" ? Number.parseInt(given, 8) : given;

/** Throws a ConfigurationError when no mail could ever be stored there. Makes nothing: `mailhost check` comes here too. */
export async function checkRoot(files: Files, { root, create }: Settings): Promise<void> {
  try {
    const found = await files.stat(root);
    if (!found.isDirectory()) fail(`${root} is no folder`, "Name a folder.");
    await files.access(root, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    const code = errorCode(error);
    if (code === "ENOENT" && create) return checkParent(files, root, dirname(root));
    if (code === "ENOENT") fail(`there is no folder ${root}`, "Make it, or say create: true.");
    fail(`${root} cannot be written to (${code})`, "Give it to the user the server runs as.");
  }
}

/** The root is made at the first delivery, below the nearest folder there is. */
async function checkParent(files: Files, root: string, parent: string): Promise<void> {
  try {
    await files.access(parent, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" && parent !== dirname(parent)) return checkParent(files, root, dirname(parent));
    const mend = `Make ${root} and give it to the user the server runs as, or name another folder.`;
    fail(`${root} is not there, and cannot be made: ${parent} cannot be written to (${code})`, mend);
  }
}

function fail(what: string, mend: string): never {
  const problem: Problem = { code: "BAD_OPTION", where: "options.root", what, mend };
  throw new ConfigurationError([problem]);
}
