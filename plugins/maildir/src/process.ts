import { errorCode } from "./error-code.ts";
import { readFile } from "node:fs/promises";

/** PF_EXITING of Linux, and SIGKILL among the signals that wait. */
const [exiting, killed] = [0x4, 0x100n];

/**
 * Whether a process of that number is there, one that began then where that is known, and not killed and on its way out, or
 * out and nobody has asked what became of it: its number stays until somebody does, and in a container that may be never.
 */
export async function isRunning(pid: number, began = ""): Promise<boolean> {
  // First what waits for it: once that is taken from there, it has begun to exit
  const status = await saidBySystem(`/proc/${pid}/status`);
  const fields = await fieldsOf(pid);
  const [state = "", , , , , , flags] = fields;
  // A system without /proc, one that hides from us who is not ours, or too many open files
  if (state === "") return hasNumber(pid);
  if (began !== "" && beginIn(fields) !== began) return false;
  if (state === "Z" || state === "X" || (Number(flags) & exiting) > 0) return false;
  return [...status.matchAll(/^(?:Sig|Shd)Pnd:\s*([0-9a-f]+)/gm)].every(
    ([, pending]) => (BigInt(`0x${pending}`) & killed) === 0n,
  );
}

/** When this process began, in ticks since the system did. Empty where the system does not say. */
export const ownBegin = async (): Promise<string> => beginIn(await fieldsOf("self"));

/** What stands in a file of the system's, or nothing. */
export const saidBySystem = (path: string): Promise<string> => readFile(path, "latin1").catch(() => "");

/** The third field and those behind it; the second may hold blanks and brackets (proc(5)). None for nobody. */
async function fieldsOf(pid: number | "self"): Promise<readonly string[]> {
  const text = await saidBySystem(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

const beginIn = (fields: readonly string[]): string => fields[19] ?? "";

function hasNumber(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== "ESRCH";
  }
}
