import cluster from "node:cluster";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { Member } from "../src/workers/member.ts";

// Two workers that die at one moment: the primary hears of the second one's death before it has read its channel to the
// end. Run by a test, which looks at the exit code.

const isOver = (pid: number): boolean =>
  /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1")) && readdirSync(`/proc/${pid}/task`).length === 1;

/** Kills it and lets nothing else happen until it is over, all its threads with it. */
function end(pid: number): void {
  process.kill(pid, "SIGKILL");
  while (!isOver(pid));
}

if (cluster.isPrimary) {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  const [one, other] = [new Member(), new Member()];
  await Promise.all([one.start, other.start]);
  cluster.once("disconnect", () => end(other.pid));
  end(one.pid);
  await Promise.all([one.gone, other.gone]);
} else createServer().listen(0, "127.0.0.1", () => process.send?.({ mailhost: "listening" }));
