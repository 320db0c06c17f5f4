import { defer, definePlugin } from "@mailhost/core";
import { host, sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import greylist, { waited } from "../src/index.ts";
import { attempt } from "./support.ts";

/** What another author makes of the fact: a stranger's first message is looked at more closely. */
const seen: (number | undefined)[] = [];
const curious = definePlugin({
  name: "curious",
  version: "1.0.0",
  core: "^1.0.0",
  requires: { greylist: "^1.0.0" },
  apply(host) {
    host.hooks.data.tap("curious", (_message, transaction) => void seen.push(waited.of(transaction)));
  },
});

test("others read how long a message has waited", async () => {
  const server = await host({ plugins: [sink(), greylist({ wait: 1000 }), curious()] });
  await attempt(server);
  server.clock.advance(1500);
  await attempt(server);
  await attempt(server);
  expect(seen).toEqual([1500, undefined]);
  await server.close();
});

test("who needs greylist and has none is told so at the start", async () => {
  await expect(host({ plugins: [sink(), curious()] })).rejects.toThrow(/curious .*greylist/);
});

test("what others refuse is not greylisted, wherever they stand", async () => {
  const strict = definePlugin({
    name: "strict",
    version: "1.0.0",
    core: "^1.0.0",
    apply: ({ hooks }) => hooks.rcpt.tap("strict", () => defer("Not today", { code: 450, status: "4.2.1" })),
  });
  const server = await host({ plugins: [sink(), greylist(), strict()] });
  expect(await attempt(server)).toBe("450 4.2.1 Not today");
  await server.close();
});

test("the trace says what it did", async () => {
  const server = await host({ plugins: [sink(), greylist({ wait: 1000 })] });
  await attempt(server);
  server.clock.advance(1000);
  await attempt(server);
  const taps = server.trace.filter((event) => event.type === "tap").filter(({ plugin }) => plugin === "greylist");
  expect(taps.map(({ hook, outcome, edits }) => [hook, outcome.kind, edits])).toEqual([
    ["rcpt", "refused", []],
    ["rcpt", "silent", []],
    ["data", "silent", [{ kind: "add", field: "X-Greylist", touchedBy: [] }]],
  ]);
  await server.close();
});
