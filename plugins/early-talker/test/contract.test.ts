import { contract } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { earlyTalker } from "../src/index.ts";

test("keeps the contract", async () => {
  const report = await contract(earlyTalker, {
    options: () => ({ wait: 50 }),
    packageJson: new URL("../package.json", import.meta.url),
  });
  expect(report).toMatchObject({ plugin: "early-talker", failed: 0 });
});
