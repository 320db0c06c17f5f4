import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench } from "./measure.ts";
import { mostReadWhileUnsent } from "./serving.ts";
import { small, workloads } from "./workloads.ts";

// P10, for every day: less of everything, and bounds that no noise breaks and no leak passes. The figures of docs/limits.md
// are those of `npm run bounds:long`. The connection limits are raised, and no other.

function hasPython(): boolean {
  try {
    execFileSync("python3", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return process.env["CI"] !== undefined; // there it has to be
  }
}
const python = hasPython();

describe.skipIf(process.platform !== "linux")("a server stays within its bounds", () => {
  let bench: Bench;
  beforeAll(async () => void (bench = await Bench.start(2000, 1500)));
  afterAll(() => bench.close());

  for (const workload of workloads)
    test.skipIf(workload.name.includes("never read") && !python)(workload.name, { timeout: 60_000 }, async () => {
      const { said, grown, kept, readWhileUnsent, delays } = await bench.measure(workload, small);
      expect(said).toBe(workload.ends);
      expect(grown).toBeLessThan(2 * workload.grow(small)); // resident memory is more than what is in use
      expect(kept).toBeLessThan(workload.grow(small) / 2);
      expect(readWhileUnsent).toBeLessThanOrEqual(mostReadWhileUnsent);
      expect(delays.problems).toEqual([]);
      expect(delays.worst).toBeLessThan(5000);
    });
});
