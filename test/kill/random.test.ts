import { expect, test } from "vitest";
import { campaign } from "./campaign.ts";
import { restarts } from "./restarts.ts";

// P9 as test/kill.test.ts has it, at moments nobody chose, with the real command. `npm run kills:long` is the whole.

const kills = process.env["CI"] === undefined ? 5 : 20;
const seed = Number(process.env["KILLS_SEED"] ?? Date.now() % 2 ** 31);

// KILLS_SEED makes the same moments again
test.each([false, true])(
  `kill -9 at ${kills} random moments (seed ${seed}) loses nothing that was acknowledged, journal %s`,
  { timeout: 300_000 },
  async (journal) => {
    const figures = await campaign({ form: "source", journal, kills, messages: 50 * kills, seed });
    expect(figures.problems).toEqual([]);
    expect(figures.acknowledged).toBeGreaterThanOrEqual(50 * kills);
    expect(figures.copies).toBeGreaterThanOrEqual(figures.acknowledged);
  },
);

test(
  "a server over a large store greets and delivers while it sweeps, and sweeps it all",
  { timeout: 60_000 },
  async () => {
    const { deliveries } = await restarts({ form: "source", mailboxes: 200, leftovers: 2000, times: 2 });
    expect(deliveries).toHaveLength(2);
  },
);
