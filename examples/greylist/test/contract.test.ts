import { contract } from "@mailhost/testkit";
import { expect, test } from "vitest";
import greylist from "../src/index.ts";

test("keeps the contract", { timeout: 60_000 }, async () => {
  const report = await contract(greylist, {
    options: () => ({ wait: 1000 }),
    packageJson: new URL("../package.json", import.meta.url),
    // What the contract sends must be accepted: here, it has been met before
    prepare: async (server) => {
      const speaker = server.client();
      await speaker.reply();
      await speaker.ask("EHLO client.test");
      await speaker.deliver({ to: "jane@example.com" });
      speaker.hangUp();
      server.clock.advance(1000);
    },
  });
  expect(report.failed).toBe(0);
});
