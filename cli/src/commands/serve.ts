import { wishesOf } from "../config/wishes.ts";
import { UsageError } from "../exit.ts";
import { isWorker } from "../workers/messages.ts";
import type { StartFlags } from "./start.ts";

export interface ServeFlags extends StartFlags {
  readonly replace?: true;
}

/** `mailhost start`: one process, a primary with workers, one of these workers, or the order to replace them. */
export async function serve(flags: ServeFlags): Promise<void> {
  const { wishes, problems } = wishesOf(flags, process.env);
  if (flags.replace === true) return (await import("../workers/replace.ts")).replace(wishes.control);
  if (flags.control !== undefined && wishes.workers === undefined)
    throw new UsageError("--control needs --workers: one process alone cannot be replaced");
  const alone = wishes.workers === undefined || isWorker;
  // What is wrong with the environment, `start` says
  if (alone || problems.length > 0) return (await import("./start.ts")).start(flags);
  await (await import("../workers/primary.ts")).lead(flags, wishes);
}
