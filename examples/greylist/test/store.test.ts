import { ConfigurationError } from "@mailhost/core";
import { host, sink } from "@mailhost/testkit";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import greylist from "../src/index.ts";
import { attempt } from "./support.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "greylist-"));
  file = join(folder, "greylist");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const start = (wait = 1000) => host({ plugins: [sink(), greylist({ file, wait })] });

test("what is known outlives a restart", async () => {
  const before = await start();
  await attempt(before);
  before.clock.advance(1000);
  expect(await attempt(before)).toMatch(/^250 /);
  await attempt(before, { from: "jim@example.net" });
  await before.close();
  expect(readdirSync(folder)).toEqual(["greylist"]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, "utf8")).not.toContain("example");
  const after = await start();
  after.clock.advance(1000);
  expect(await attempt(after)).toMatch(/^250 /);
  expect(await attempt(after, { from: "jim@example.net" })).toMatch(/^451 /);
  after.clock.advance(1000);
  expect(await attempt(after, { from: "jim@example.net" })).toMatch(/^250 /);
  await after.close();
});

test("it is written every minute, when something was learnt", async () => {
  const server = await start();
  await attempt(server);
  server.clock.advance(60_000);
  await vi.waitFor(() => expect(readFileSync(file, "utf8")).toMatch(/^waiting \d+ \S{43}\n$/));
  await server.close();
});

test("closing amid a save leaves no timer behind, and the last word in the file", async () => {
  const server = await start();
  await attempt(server);
  server.clock.advance(60_000);
  await attempt(server, { from: "jim@example.net" });
  await server.close();
  await new Promise((resolve) => setImmediate(resolve));
  expect(server.clock.waiting).toBe(0);
  expect(readFileSync(file, "utf8").split("\n")).toHaveLength(3);
});

test("a reload keeps it, with new options in force", async () => {
  const server = await start();
  await attempt(server);
  await server.reload({ plugins: [sink(), greylist({ file, wait: 5000 })] });
  server.clock.advance(1000);
  expect(await attempt(server)).toMatch(/^451 /);
  server.clock.advance(4000);
  expect(await attempt(server)).toMatch(/^250 /);
  await server.close();
});

test("two listeners have one memory", async () => {
  const listeners = [
    { port: 0, name: "a" },
    { port: 0, name: "b" },
  ];
  const server = await host({ plugins: [sink(), greylist({ wait: 0 })], listeners });
  expect(await attempt(server)).toMatch(/^451 /);
  const speaker = server.client({ listener: "b" });
  await speaker.reply();
  await speaker.ask("EHLO client.test");
  expect(await speaker.deliver({ from: "joe@example.net", to: "jane@example.com" })).toEqual([
    expect.stringMatching(/^250 /),
  ]);
  await server.close();
});

test.each(["waiting 1 short\n", "\0\0\0\0", "root:x:0:0\n"])(
  "a file that is none of ours is left alone: %j",
  async (text) => {
    writeFileSync(file, text);
    const error: unknown = await start().catch((problem: unknown) => problem);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(String(error)).toMatch(/plugins\[1\]\.options\.file: line 1 of .* was not written by greylist/);
    expect(readFileSync(file, "utf8")).toBe(text);
  },
);

test("a folder that is not there is a start-up error", async () => {
  file = join(folder, "missing/greylist");
  await expect(start()).rejects.toThrow(/plugins\[1\]\.options\.file: .* cannot be written/);
});

test("a disk that fails stops no mail", async () => {
  const server = await start();
  rmSync(folder, { recursive: true });
  await attempt(server);
  server.clock.advance(60_000);
  await vi.waitFor(() => expect(server.log.map(({ level }) => level)).toContain("warn"));
  expect(await attempt(server)).toMatch(/^250 /);
  await server.close();
});
