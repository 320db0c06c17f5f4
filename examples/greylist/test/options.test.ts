import { ConfigurationError } from "@mailhost/core";
import { host, sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import greylist from "../src/index.ts";
import { attempt } from "./support.ts";

const problemsOf = async (options: object): Promise<string> => {
  try {
    // A configuration file may say anything: the types end there
    await host({ plugins: [sink(), greylist(options as never)] });
    return "";
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
};

test("a slip of the pen is named, with its place", async () => {
  expect(await problemsOf({ wiat: 1000 })).toBe(
    "plugins[1].options.wiat: plugin greylist has no option wiat. Did you mean wait?",
  );
  expect(await problemsOf({ wait: "5m", spare: ["192.0.2.0/24", "192.0.2.0/33"] })).toBe(
    [
      'plugins[1].options.wait: option wait of plugin greylist: Invalid type: Expected number but received "5m". See the options of greylist.',
      "plugins[1].options.spare[1]: option spare[1] of plugin greylist: the prefix of 192.0.2.0/33 is not within 0 and 32. See the options of greylist.",
    ].join("\n"),
  );
  expect(await problemsOf({ wait: 1000, window: 1000 })).toMatch(/^plugins\[1\]\.options\.window: window ends before/);
});

test("options are what they say", async () => {
  const server = await host({ plugins: [sink(), greylist({ wait: 1000, window: 10_000, keep: 20_000 })] });
  expect(await attempt(server)).toMatch(/^451 /);
  server.clock.advance(1000);
  expect(await attempt(server)).toMatch(/^250 /);
  server.clock.advance(20_001);
  expect(await attempt(server)).toMatch(/^451 /);
  server.clock.advance(10_001);
  expect(await attempt(server)).toMatch(/^451 /);
  await server.close();
});

test("listed networks do not wait", async () => {
  const server = await host({ plugins: [sink(), greylist({ spare: ["198.51.100.0/24", "2001:db8::/32"] })] });
  expect(await attempt(server, { client: "198.51.100.7" })).toMatch(/^250 /);
  expect(await attempt(server, { client: "2001:db8::7" })).toMatch(/^250 /);
  expect(await attempt(server)).toMatch(/^451 /);
  await server.close();
});

test("memory is bounded: the oldest stranger is forgotten, who is known stays, in a flood nobody waits", async () => {
  const server = await host({ plugins: [sink(), greylist({ wait: 1000, most: 2 })] });
  await attempt(server, { from: "known@example.net" });
  server.clock.advance(1000);
  expect(await attempt(server, { from: "known@example.net" })).toMatch(/^250 /);
  for (const from of ["a@example.net", "b@example.net"]) expect(await attempt(server, { from })).toMatch(/^451 /);
  expect(await attempt(server, { from: "c@example.net" })).toMatch(/^250 /);
  server.clock.advance(60 * 60_000);
  expect(await attempt(server, { from: "c@example.net" })).toMatch(/^451 /);
  server.clock.advance(1000);
  expect(await attempt(server, { from: "known@example.net" })).toMatch(/^250 /);
  expect(await attempt(server, { from: "c@example.net" })).toMatch(/^250 /);
  expect(await attempt(server, { from: "b@example.net" })).toMatch(/^250 /);
  expect(await attempt(server, { from: "a@example.net" })).toMatch(/^451 /);
  await server.close();
});
