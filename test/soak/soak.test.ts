import { expect, test } from "vitest";
import { soak } from "./soak.ts";

// `npm run soak` is the whole, with bounds on the slope of every level; this is as much of it as fits into every day.

const mebi = 1024 * 1024;

test.skipIf(process.platform !== "linux")(
  "mixed load with reloads and new certificates: nothing is lost, and what was opened is closed",
  { timeout: 120_000 },
  async () => {
    const seed = Date.now() % 2 ** 31;
    const times = { warmSeconds: 4, seconds: 5, reloadSeconds: 0.5, swapSeconds: 1, sampleSeconds: 2 };
    const { quiet, counts, problems } = await soak({ form: "source", seed, ...times });
    const [before, after] = quiet;
    expect(problems, `seed ${seed}`).toEqual([]);
    expect(counts).toMatchObject({ acknowledged: expect.any(Number) });
    expect(counts["certificatesSeen"]).toBeGreaterThan(1);
    expect(counts["refusedReloads"]).toBeGreaterThan(0);
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
    expect(after.heap - before.heap).toBeLessThan(8 * mebi);
  },
);
