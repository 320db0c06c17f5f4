import { createServer } from "node:http";
import { contract, transportContract } from "@mailhost/testkit";
import { expect, onTestFinished, test } from "vitest";
import { webhook } from "../src/index.ts";
import { Endpoint, type Got, everybody, json, partsOf } from "./kit.ts";

/** What concerns the content; the rest has nothing to do with its form. */
const ofContent = [
  "manifest",
  "accepted message",
  "unusual addresses",
  "unusual content",
  "hostile input",
  "close",
] as const;

test.each([
  ["raw", {}],
  ["json", { only: ofContent }],
] as const)("keeps the contract of plugins, %s", { timeout: 60_000 }, async (format, only) => {
  // It keeps nothing: memory is measured
  const server = createServer((request, response) => void request.resume().on("end", () => response.end()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const report = await contract(webhook, {
    options: () => ({ url: `http://127.0.0.1:${port}/`, format }),
    companions: () => [everybody()],
    ...only,
    packageJson: new URL("../package.json", import.meta.url),
  });
  expect(report).toMatchObject({ failed: 0 });
});

/** An endpoint that keeps what it takes, for as long as it has space. */
interface Store {
  readonly endpoint: Endpoint;
  readonly taken: Got[];
  full: boolean;
}

test("keeps the contract of transports", { timeout: 60_000 }, async () => {
  const stores = new Map<string, Store>();
  const refuse = json(507, { reply: "452 4.3.1 No space" });
  const open = async (): Promise<Store> => {
    const endpoint = await Endpoint.open((response, number, got) => {
      if (store.full) return refuse(response, number, got);
      store.taken.push(got);
      response.end();
    });
    const store: Store = { endpoint, taken: [], full: false };
    return store;
  };
  const report = await transportContract(webhook, {
    async options(folder) {
      const store = stores.get(folder) ?? (await open());
      stores.set(folder, store);
      return { url: store.endpoint.url, retries: 0 };
    },
    companions: () => [everybody()],
    full(folder) {
      const store = stores.get(folder);
      if (store === undefined) throw new Error("no endpoint");
      store.full = true;
      return () => (store.full = false);
    },
    visible: async (folder) =>
      Promise.all((stores.get(folder)?.taken ?? []).map(async (got) => (await partsOf(got)).message)),
  });
  expect(report).toMatchObject({ failed: 0 });
});
