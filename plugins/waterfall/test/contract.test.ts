import { contract } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { type Waterfall, waterfall } from "../src/index.ts";

test("keeps its contract", { timeout: 60_000 }, async () => {
  const told: Waterfall[] = [];
  await contract(waterfall, {
    options: () => ({ spans: false, on: (one) => void told.push(one) }),
    packageJson: new URL("../package.json", import.meta.url),
  });
  expect(told.length).toBeGreaterThan(50);
});
