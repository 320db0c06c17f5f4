import { text as readAll } from "node:stream/consumers";
import { RunTimeError, UsageError } from "./exit.ts";

/** Asks for a password, unseen. Rejects with a UsageError where there is no terminal to ask on. */
export async function askPassword(question: string): Promise<string> {
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new UsageError("there is no terminal to ask for the password on: use --stdin");
  const { isCancel, password } = await import("@clack/prompts");
  const given = await password({ message: question });
  if (isCancel(given)) throw new RunTimeError("cancelled");
  return given;
}

/** The first line of standard input. */
export async function readPassword(): Promise<string> {
  const [line = ""] = (await readAll(process.stdin)).split(/\r?\n/);
  if (line === "") throw new UsageError("standard input holds no password");
  return line;
}
