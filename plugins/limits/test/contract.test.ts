import { contract, sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { limits } from "../src/index.ts";
import { login, password } from "./login.ts";

/** Hundreds of sessions come from one address: rates that hold them off would leave nothing to look at. */
const wide = { points: 1_000_000, duration: 60 };

test("keeps the contract with every limit on, none of them reached", { timeout: 60_000 }, async () => {
  const report = await contract(limits, {
    options: () => ({
      concurrency: { address: 1000, network: 1000, identity: 1000 },
      connections: { address: wide, network: wide },
      messages: { address: wide, network: wide, identity: wide },
      recipients: { address: wide, network: wide, identity: wide },
      faults: { address: wide, network: wide, identity: wide },
      authFailures: { address: wide, network: wide, identity: wide },
    }),
    companions: () => [login(), sink()],
    greet: async (speaker) => {
      await speaker.ask("EHLO client.test");
      await speaker.ask(`AUTH XWORD ${password("jane")}`);
    },
    packageJson: new URL("../package.json", import.meta.url),
  });
  expect(report).toMatchObject({ plugin: "limits", failed: 0 });
});
