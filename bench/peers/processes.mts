// What the operating system says of a server and all its children. Linux only: it reads /proc.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";

const field = (pid: number, file: string, name: RegExp): number => {
  try {
    return Number(name.exec(readFileSync(`/proc/${pid}/${file}`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0; // ended meanwhile
  }
};

/** `root` and every process below it. */
export function family(root: number): number[] {
  const parents = new Map(
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [Number(name), field(Number(name), "status", /^PPid:\s+(\d+)/m)]),
  );
  const found = [root];
  for (const pid of found) found.push(...[...parents].filter(([, parent]) => parent === pid).map(([child]) => child));
  return found;
}

/** Resident memory of a family in octets, now. */
export const resident = (root: number): number => sum(root, /^VmRSS:\s+(\d+)/m);

/** The most it had since `forgetPeak`, in octets: each process's own peak, added up. */
export const peak = (root: number): number => sum(root, /^VmHWM:\s+(\d+)/m);

export function forgetPeak(root: number): void {
  for (const pid of family(root))
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, "5");
    } catch {
      // ended meanwhile
    }
}

/** CPU time of a family in milliseconds: of its threads in nanoseconds, of children that ended in hundredths of a second. */
export function cpu(root: number): number {
  let total = 0;
  for (const pid of family(root))
    try {
      for (const thread of readdirSync(`/proc/${pid}/task`))
        total += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1e6;
    } catch {
      // ended meanwhile: its parent has its time
    }
  const [, behindName = ""] = readFileSync(`/proc/${root}/stat`, "utf8").split(/\) (?=[A-Z])/);
  const [ofChildrenUser = 0, ofChildrenSystem = 0] = behindName.split(" ").slice(13, 15).map(Number);
  return total + 10 * (ofChildrenUser + ofChildrenSystem);
}

const sum = (root: number, name: RegExp): number =>
  family(root).reduce((total, pid) => total + field(pid, "status", name) * 1024, 0);
