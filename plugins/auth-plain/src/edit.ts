import { describeError, errorCode } from "@mailhost/core";
import { randomBytes } from "node:crypto";
import { type FileHandle, open, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ScryptCost, hashPassword } from "./hash.ts";
import { type FoundFile, UsersFileError, cutLine, nameProblem, readText, realFile } from "./users-file.ts";

/** How a user is written. */
export interface SetUserOptions {
  /** `add` rejects with EXISTS, `change` with UNKNOWN; either is fine unless told otherwise. */
  readonly only?: "add" | "change";
  /** Cost of the scrypt hash. */
  readonly cost?: ScryptCost;
  /** Milliseconds to wait for somebody else's change; 5000 unless told otherwise. */
  readonly patience?: number;
}

/** Milliseconds. */
const lockPatience = 5000;
const lockRetry = 25;

/**
 * Adds a user or changes a password, and makes the file (0600) where there is none. Everything else in the file stays,
 * comments too. Resolves to what happened; rejects with a UsersFileError, and then the file is as it was.
 */
export async function setUser(
  path: string,
  name: string,
  password: string,
  { only, cost, patience = lockPatience }: SetUserOptions = {},
): Promise<"added" | "changed"> {
  const wrong = nameProblem(name);
  if (wrong !== undefined) throw new UsersFileError("BAD_NAME", wrong, "Use another name.");
  // RFC 4616 §2: a NUL cannot be sent, and neither can half a character
  if (password === "" || /[\0\p{Cs}]/u.test(password))
    throw new UsersFileError("BAD_PASSWORD", "the password is empty or cannot be sent", "Use another one.");
  const hash = await hashPassword(password, cost);
  return edit(path, patience, (found) => {
    const { lines, there } = withLine(found?.text ?? "", name, `${name}:${hash}`);
    if (there && only === "add")
      throw new UsersFileError("EXISTS", `${path} has a user ${name}`, "Use mailhost user passwd.");
    if (!there && only === "change") throw unknown(path, name);
    return { text: lines, result: there ? "changed" : "added" };
  });
}

/** Removes a user. Rejects with a UsersFileError (UNKNOWN, MISSING), and then the file is as it was. */
export async function removeUser(path: string, name: string): Promise<void> {
  await edit(path, lockPatience, (found) => {
    if (found === undefined)
      throw new UsersFileError(
        "MISSING",
        `${path} does not exist`,
        `Make it with: mailhost user add <name> --file ${path}`,
      );
    const { lines, there } = withLine(found.text, name, undefined);
    if (!there) throw unknown(path, name);
    return { text: lines, result: undefined };
  });
}

const unknown = (path: string, name: string): UsersFileError =>
  new UsersFileError("UNKNOWN", `${path} has no user ${name}`, "See mailhost user list.");

/** The text with the first line of `name` replaced and its others dropped, or the line put at the end. */
function withLine(text: string, name: string, line: string | undefined): { lines: string; there: boolean } {
  let there = false;
  const kept: string[] = [];
  for (const old of text.split(/(?<=\n)/)) {
    if (cutLine(old.replace(/\n$/, ""))?.name !== name) {
      kept.push(old);
      continue;
    }
    if (!there && line !== undefined) kept.push(line + (/\r?\n$/.exec(old)?.[0] ?? "\n"));
    there = true;
  }
  if (there || line === undefined) return { lines: kept.join(""), there };
  const before = kept.join("");
  return { lines: `${before}${before === "" || before.endsWith("\n") ? "" : "\n"}${line}\n`, there };
}

async function edit<T>(
  path: string,
  patience: number,
  change: (found: FoundFile | undefined) => { readonly text: string; readonly result: T },
): Promise<T> {
  const real = await realFile(path);
  const unlock = await lock(real, patience);
  try {
    const found = await readText(real).catch((error: unknown) => {
      if (error instanceof UsersFileError && error.code === "MISSING") return undefined;
      throw error;
    });
    const { text, result } = change(found);
    await replace(real, text, found);
    return result;
  } catch (error) {
    throw error instanceof UsersFileError ? error : notWritten(real, error);
  } finally {
    await unlock();
  }
}

/**
 * One change at a time, between processes too. A lock left behind by a killed process is not taken over:
 * who is to tell it from one that waits for its disk? The error says whose it is.
 */
async function lock(path: string, patience: number): Promise<() => Promise<void>> {
  const name = `${path}.lock`;
  const end = Date.now() + patience;
  for (;;) {
    try {
      const file = await open(name, "wx", 0o600);
      await file.writeFile(`${process.pid}\n`);
      await file.close();
      return () => rm(name, { force: true });
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw notWritten(path, error);
    }
    if (Date.now() > end) throw locked(name, await readFile(name, "utf8").catch(() => ""));
    await sleep(lockRetry);
  }
}

const locked = (name: string, owner: string): UsersFileError =>
  new UsersFileError(
    "LOCKED",
    `${name} is held by process ${owner.trim() || "unknown"}`,
    "Try again; if that process is gone, remove the lock file.",
  );

/** RFC 5321 has nothing on it, but the rule is the same as for mail: whole or not at all. */
async function replace(path: string, text: string, old: FoundFile | undefined): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  const file = await open(temporary, "wx", 0o600);
  try {
    try {
      await file.writeFile(text);
      await keepOwner(file, old);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/** A file that root edits must stay readable for the server: owner and group are kept, others never get in. */
async function keepOwner(file: FileHandle, old: FoundFile | undefined): Promise<void> {
  if (old === undefined) return file.chmod(0o600);
  const now = await file.stat();
  if (now.uid !== old.uid || now.gid !== old.gid) await file.chown(old.uid, old.gid);
  await file.chmod((old.mode & 0o640) | 0o600);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const notWritten = (path: string, error: unknown): UsersFileError =>
  new UsersFileError(
    "NOT_WRITTEN",
    `${path} cannot be written: ${describeError(error)}`,
    "See that its folder is there, may be written and has space.",
  );
