import { readFileSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "../support/command.ts";

/** What a look at a server gave: octets, but for the descriptors. Linux only. */
export interface Look {
  /** What a collection leaves of the heap and of buffers. */
  readonly heap: number;
  readonly resident: number;
  readonly descriptors: number;
}

/** How a command is started that can be looked at. */
export const gauged = {
  node: ["--expose-gc", "--import", new URL("gauge.mjs", import.meta.url).href],
  ipc: true,
} as const;

export async function look({ child, pid }: Command): Promise<Look> {
  const answered = new Promise<NodeJS.MemoryUsage>((resolve) => {
    child.once("message", (usage) => resolve(usage as NodeJS.MemoryUsage)); // the gauge says nothing else
  });
  child.send("how");
  const { heapUsed, external } = await answered;
  const resident = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
  return { heap: heapUsed + external, resident, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

/** Behind the last client: sockets linger for two seconds at most, and longer on a machine that does other things. */
export async function lookWhenSettled(command: Command): Promise<Look> {
  let [seen, same] = [await look(command), 0];
  for (let time = 0; time < 30 && same < 4; time += 1) {
    await sleep(600);
    const now = await look(command);
    same = now.descriptors === seen.descriptors ? same + 1 : 0;
    seen = now;
  }
  return seen;
}
