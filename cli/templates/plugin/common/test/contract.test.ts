import { contract } from "@mailhost/testkit";
import { test } from "vitest";
import plugin from "../src/index.ts";

// What the internet does to any plugin: it says what is wrong, and how to mend it
test("keeps the contract", { timeout: 120_000 }, async () => {
  await contract(plugin, {
    options: () => ({ domains: ["spam.example"] }),
    packageJson: new URL("../package.json", import.meta.url),
  });
});
