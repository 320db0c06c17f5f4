import { contract, sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { addressable } from "../src/index.ts";

const packageJson = new URL("../package.json", import.meta.url);
const companions = () => [sink({ everything: false })];
const listener = { default: { local: "sink" } };

test("keeps the contract with a list of domains", async () => {
  const report = await contract(addressable, {
    options: () => ({ domains: ["example.com"], addresses: ["jane@shop.test"] }),
    companions,
    listener,
    refused: ["joe@shop.test", "joe@elsewhere.test"],
    packageJson,
  });
  expect(report).toMatchObject({ plugin: "addressable", failed: 0 });
});

test("keeps the contract with a function that takes its time", () =>
  contract(addressable, {
    options: () => ({
      accept: async (_user: string | undefined, address: string) => {
        await new Promise((resolve) => setImmediate(resolve));
        return address.endsWith("@example.com");
      },
    }),
    companions,
    listener,
    refused: ["joe@elsewhere.test"],
  }));
