// Server and generator have a core each, of those this process may use.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { family } from "../peers/processes.mts";

/** Reads a list as `0-1,4` is one. */
const coresIn = (list: string): number[] =>
  list.split(",").flatMap((part) => {
    const [first = 0, last = first] = part.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });

const allowed = coresIn(/^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0");

export const serverCore = allowed[0] ?? 0;
export const clientCore = allowed[1] ?? serverCore;

export function pin(root: number, core: number): void {
  for (const pid of family(root))
    try {
      execFileSync("taskset", ["-acp", String(core), String(pid)], { stdio: "ignore" });
    } catch {
      // ended meanwhile
    }
}
