import { resolve } from "node:path";
import { UsersFileError, listUsers, removeUser, setUser } from "@mailhost/plugin-auth-plain";
import { configurationError } from "../config/problem.ts";
import { RunTimeError, UsageError } from "../exit.ts";
import { askPassword, readPassword } from "../prompt.ts";
import { table } from "../report.ts";

interface UserFlags {
  readonly file: string;
  readonly stdin?: true;
}

/** `mailhost user add`: a name that is there already is refused. */
export async function add(name: string, { file, stdin }: UserFlags): Promise<void> {
  await set(name, file, stdin, "add");
  console.log(`added ${name} to ${file}`);
}

/** `mailhost user passwd`: a running server takes the new password at once. */
export async function passwd(name: string, { file, stdin }: UserFlags): Promise<void> {
  await set(name, file, stdin, "change");
  console.log(`changed the password of ${name} in ${file}`);
}

/** `mailhost user rm`. */
export async function remove(name: string, { file }: UserFlags): Promise<void> {
  await translated(file, () => removeUser(resolve(file), name));
  console.log(`removed ${name} from ${file}`);
}

/** `mailhost user list`: names and kinds of hash, nothing secret. */
export async function list({ file }: UserFlags): Promise<void> {
  const users = await translated(file, () => listUsers(resolve(file)));
  if (users.length > 0) console.log(table(users.map(({ name, scheme }) => [name, scheme])));
}

async function set(name: string, file: string, stdin: true | undefined, only: "add" | "change"): Promise<void> {
  const password = stdin === true ? await readPassword() : await askTwice(name);
  await translated(file, () => setUser(resolve(file), name, password, { only }));
}

async function askTwice(name: string): Promise<string> {
  const password = await askPassword(`New password of ${name}`);
  if ((await askPassword("Once more")) !== password)
    throw new RunTimeError("the passwords differ; nothing was changed");
  return password;
}

/** The plugin's errors as those of the command. */
async function translated<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UsersFileError)) throw error;
    const { code, message: what, mend } = error;
    if (code === "BAD_NAME" || code === "BAD_PASSWORD") throw new UsageError(`${what}. ${mend}`);
    if (code === "BAD_LINES") throw configurationError({ code: "BAD_FILE", where: resolve(file), what, mend });
    throw new RunTimeError(`${what}. ${mend}`);
  }
}
