import { describeError, errorCode } from "@mailhost/core";
import { lstat, open, realpath } from "node:fs/promises";
import { type Scheme, type StoredHash, parseHash } from "./hash.ts";

/** Stable, for programs. */
export type UsersFileFault =
  | "MISSING"
  | "UNREADABLE"
  | "BAD_LINES"
  | "BAD_NAME"
  | "BAD_PASSWORD"
  | "EXISTS"
  | "UNKNOWN"
  | "LOCKED"
  | "NOT_WRITTEN";

/** What is wrong with a password file or with a change to it. Holds names, paths and line numbers, never a secret. */
export class UsersFileError extends Error {
  override readonly name = "UsersFileError";
  readonly code: UsersFileFault;
  /** How to mend it. */
  readonly mend: string;

  constructor(code: UsersFileFault, what: string, mend: string) {
    super(what);
    this.code = code;
    this.mend = mend;
  }
}

/** Password hashes by user name, compared exactly. */
export type Users = ReadonlyMap<string, StoredHash>;

/** Tens of thousands of users: what is longer is no password file. */
const mostOctets = 16 * 1024 * 1024;

/** Longest name in octets of UTF-8 (RFC 4616 §2 asks for 255). */
const mostNameOctets = 255;

/** Why nobody can have this name in a password file, or undefined. */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "a name must not be empty";
  if (Buffer.byteLength(name) > mostNameOctets) return `a name holds at most ${mostNameOctets} octets`;
  if (/[\p{Cc}\p{Cs}]/u.test(name)) return "a name holds no control characters";
  if (name.includes(":")) return "a name holds no colon";
  if (name.startsWith("#")) return "a name does not start with #: that is a comment";
  return name.trim() === name ? undefined : "a name does not start or end with a blank";
}

/** A line that is neither empty nor a comment, cut at its first colon. */
export function cutLine(line: string): { readonly name: string; readonly hash: string } | undefined {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  if (text.trim() === "" || text.startsWith("#")) return undefined;
  const colon = text.indexOf(":");
  return colon < 0 ? { name: text, hash: "" } : { name: text.slice(0, colon), hash: text.slice(colon + 1) };
}

/** Reads the text of a password file: `name:hash` a line, `#` before comments. Faults name lines, not their content. */
export function parseUsers(text: string): { readonly users: Users; readonly faults: readonly string[] } {
  const users = new Map<string, StoredHash>();
  const lines = new Map<string, number>();
  const faults: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const cut = cutLine(line);
    if (cut === undefined) continue;
    const number = index + 1;
    const { name, hash } = cut;
    const before = lines.get(name);
    const stored = parseHash(hash);
    const fault =
      hash === ""
        ? "it is not name:hash"
        : (nameProblem(name) ??
          (before === undefined ? undefined : `the name stands on line ${before} already`) ??
          ("fault" in stored ? stored.fault : undefined));
    if (fault !== undefined) faults.push(`line ${number}: ${fault}`);
    else if (!("fault" in stored)) users.set(name, stored);
    lines.set(name, before ?? number);
  }
  return { users, faults };
}

/** The users of a file. Rejects with a UsersFileError that names every bad line. */
export async function readUsers(path: string): Promise<Users> {
  const { text } = await readText(path);
  const { users, faults } = parseUsers(text);
  if (faults.length === 0) return users;
  const shown = faults.slice(0, 10).join("; ");
  const more = faults.length > 10 ? ` and ${faults.length - 10} more` : "";
  throw new UsersFileError("BAD_LINES", `${path}: ${shown}${more}`, "Write lines with mailhost user add and passwd.");
}

/** Who stands in a file, in its order, and how the passwords are hashed. Rejects as `readUsers` does. */
export async function listUsers(path: string): Promise<{ readonly name: string; readonly scheme: Scheme }[]> {
  return [...(await readUsers(path))].map(([name, { scheme }]) => ({ name, scheme }));
}

/** Text, owner and permissions of one and the same file. */
export interface FoundFile {
  readonly text: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export async function readText(path: string): Promise<FoundFile> {
  try {
    const file = await open(path, "r");
    try {
      const { mode, uid, gid, size } = await regular(file.stat(), path);
      if (size > mostOctets) throw new UsersFileError("UNREADABLE", `${path} is too big`, "Name a password file.");
      const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.readFile());
      return { text, mode, uid, gid };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw readProblem(error, path);
  }
}

async function regular<S extends { isFile(): boolean }>(stats: Promise<S>, path: string): Promise<S> {
  const found = await stats;
  if (found.isFile()) return found;
  throw new UsersFileError("UNREADABLE", `${path} is no file`, "Name a password file.");
}

function readProblem(error: unknown, path: string): UsersFileError {
  if (error instanceof UsersFileError) return error;
  const code = errorCode(error);
  if (code === "ENOENT" || code === "ENOTDIR")
    return new UsersFileError(
      "MISSING",
      `${path} does not exist`,
      `Make it with: mailhost user add <name> --file ${path}`,
    );
  if (code === "EACCES")
    return new UsersFileError("UNREADABLE", `${path} may not be read`, "Let the user that runs the server read it.");
  if (code === "ERR_ENCODING_INVALID_ENCODED_DATA")
    return new UsersFileError("UNREADABLE", `${path} is not UTF-8`, "Save it as UTF-8.");
  return new UsersFileError("UNREADABLE", `${path} cannot be read: ${describeError(error)}`, "See the error.");
}

/** The file behind symbolic links: that one is changed, the links stay. Rejects on a link to nothing. */
export async function realFile(path: string): Promise<string> {
  const real = await realpath(path).catch(() => undefined);
  if (real !== undefined) return real;
  const dangling = await lstat(path).then(
    () => true,
    () => false,
  );
  if (!dangling) return path;
  throw new UsersFileError("UNREADABLE", `${path} is a link to nothing`, "Remove the link or make what it points to.");
}
