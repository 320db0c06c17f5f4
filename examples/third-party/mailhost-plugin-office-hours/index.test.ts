import { TestClock, contract, host, sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import officeHours from "./index.ts";

const at = (time: string): number => Date.parse(`2026-03-02T${time}:00Z`);

async function answer(now: number, to: string, hours: { from?: number; to?: number } = {}): Promise<string> {
  const clock = new TestClock(now);
  const plugins = [sink(), officeHours({ addresses: ["sales@Example.COM"], ...hours })];
  await using server = await host({ plugins, clock });
  const speaker = server.client();
  await speaker.reply();
  await speaker.ask("EHLO client.test");
  const [line = ""] = await speaker.deliver({ to });
  return line;
}

test.each([
  ["07:59", /^450 4\.2\.1 /],
  ["08:00", /^250 /],
  ["17:59", /^250 /],
  ["18:00", /^450 4\.2\.1 /],
])("at %s it is %s", async (time, reply) => {
  expect(await answer(at(time), "sales@example.com")).toMatch(reply);
});

test("a night shift is over midnight, and nobody else is concerned", async () => {
  expect(await answer(at("23:00"), "sales@example.com", { from: 22, to: 6 })).toMatch(/^250 /);
  expect(await answer(at("12:00"), "sales@example.com", { from: 22, to: 6 })).toMatch(/^450 /);
  expect(await answer(at("03:00"), "jane@example.com")).toMatch(/^250 /);
});

test("it keeps the contract", { timeout: 60_000 }, async () => {
  const options = () => ({ addresses: ["closed@example.com"], from: 0, to: 0 });
  const packageJson = new URL("package.json", import.meta.url);
  expect(await contract(officeHours, { options, refused: ["closed@example.com"], packageJson })).toMatchObject({
    failed: 0,
  });
});
