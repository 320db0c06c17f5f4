import { contract, sink, transportContract } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { type Envelope, type Handler, mux } from "../src/index.ts";

const packageJson = new URL("../package.json", import.meta.url);

/** Reads what it is given, and keeps nothing of it. */
const read: Handler = async (envelope) => {
  let octets = 0;
  for await (const piece of envelope.message.open()) octets += piece.length;
  void octets;
};

test("keeps the contract with a function for a domain", async () => {
  const report = await contract(mux, {
    options: () => ({ routes: { "*@example.com": read } }),
    companions: () => [],
    refused: ["jane@elsewhere.test"],
    packageJson,
  });
  expect(report).toMatchObject({ plugin: "mux", failed: 0 });
});

test("keeps the contract with a transport, tags and a catch-all", () =>
  contract(mux, {
    options: () => ({ routes: { "jane@example.com": "sink", "*@*": "sink" }, catchAll: true, separator: "+" }),
    companions: () => [sink({ everything: false })],
    to: "jane+news@example.com",
    refused: ["joe@example.com"],
  }));

test("keeps the contract of transports with a function", async () => {
  const taken: Uint8Array[] = [];
  const take = async ({ message }: Envelope): Promise<void> => void taken.push(await message.bytes());
  const report = await transportContract(mux, {
    options: () => ({ routes: { "*@example.com": take } }),
    visible: () => taken,
  });
  expect(report).toMatchObject({ plugin: "mux", failed: 0 });
});
