// Without a journal of its own ext4 gives the inode of a removed file to no other for up to five minutes, and passes over
// each of them, one after the other, whenever a file is made in that part of the disk: behind a bench or a test that
// removed thousands, a new file costs ten times as much.
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";

const mostTries = 32;
const files = 100;

/** Microseconds of CPU that a new file may take where nothing was removed. */
const quiet = 40;

/** A folder below that one where files are made fast; the best of those that were tried where none is. */
export function quietPlace(above: string): string {
  // The top of a tree, whose folders ext4 spreads over the disk. What knows no such attribute has nothing to spread
  spawnSync("chattr", ["+T", above], { stdio: "ignore" });
  let best = { folder: above, cost: Infinity };
  for (let tries = 0; tries < mostTries && best.cost > quiet; tries += 1) {
    // Those that were tried stay: a folder that is removed is made again in the same part
    const folder = join(above, String(tries));
    mkdirSync(folder, { mode: 0o711 });
    const cost = costOfFile(folder);
    if (cost < best.cost) best = { folder, cost };
  }
  return best.folder;
}

function costOfFile(folder: string): number {
  const before = process.cpuUsage();
  for (let count = 0; count < files; count += 1) closeSync(openSync(join(folder, `probe${count}`), "wx"));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / files;
}
