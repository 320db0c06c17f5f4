import { type Client, contract, sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { limits } from "../src/index.ts";
import { login, password } from "./login.ts";

/** Hundreds of sessions come from one address: rates that hold them off would leave nothing to look at. */
const wide = { points: 1_000_000, duration: 60 };
const each = { address: wide, network: wide, identity: wide };
const everything = {
  concurrency: { address: 1000, network: 1000, identity: 1000 },
  connections: { address: wide, network: wide },
  messages: each,
  recipients: each,
  faults: each,
  authFailures: each,
  // What the contract does wrong would be waited for
  tarpit: { after: 1_000_000 },
};

const companions = () => [login(), sink()];
const greet = async (speaker: Client): Promise<void> => {
  await speaker.ask("EHLO client.test");
  await speaker.ask(`AUTH XWORD ${password("jane")}`);
};

test("keeps the contract with every limit on, none of them reached", { timeout: 120_000 }, async () => {
  const packageJson = new URL("../package.json", import.meta.url);
  const report = await contract(limits, { options: () => everything, companions, greet, packageJson });
  expect(report).toMatchObject({ plugin: "limits", failed: 0 });
});

test("keeps the contract with a store that takes its time", { timeout: 120_000 }, () => {
  const answer = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return { consumedPoints: 1 };
  };
  return contract(limits, {
    options: () => ({ ...everything, store: () => ({ consume: answer, get: answer }) }),
    companions,
    greet,
  });
});
