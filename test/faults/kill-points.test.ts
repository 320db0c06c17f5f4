import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { House, type Scenario, emptyStreet, scenarios } from "./house.ts";

// P9: the process stops before and after each system call of a delivery; a new one on the same folders finds
// everything that was acknowledged, whole, and nothing that is not. `npm run faults:long` tries every point.

const long = process.env["FAULTS"] === "long";
const street = emptyStreet();
afterAll(() => rmSync(street, { recursive: true, force: true }));

const program = fileURLToPath(new URL("kill-program.ts", import.meta.url));

/** One life: what it printed, which is nothing when it was killed before its client was answered. */
function live(folder: string, { name }: Scenario, point: string): Promise<{ printed: string; killed: boolean }> {
  const args = ["-C", "@mailhost/source", "--import", "tsx", program, folder, name, point];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, (error, printed, complaints) => {
      if (error !== null && error.signal !== "SIGKILL") reject(new Error(complaints));
      else resolve({ printed, killed: error !== null });
    });
  });
}

async function dieAt(scenario: Scenario, point: string): Promise<void> {
  const folder = mkdtempSync(join(street, "life-"));
  const { printed, killed } = await live(folder, scenario, point);
  expect(killed, `killed at ${point}`).toBe(true);
  const acknowledged = printed.startsWith("250");
  const house = new House(folder, scenario, undefined, join(folder, "house"));
  onTestFinished(() => house.close());
  // What the journal owes is there before anybody is answered
  if (scenario.options.journal === true) await house.server.prepare();
  for (const [recipient, seen] of house.seen()) {
    const where = `${recipient}, killed at ${point}`;
    if (scenario.warm) expect(seen, where).toContain("before");
    expect(seen, where).not.toContain("torn");
    if (acknowledged) expect(seen, where).toContain("during");
  }
  await house.server.prepare();
  // The client that heard nothing comes again
  if (!acknowledged) expect(await house.handIn("during")).toMatch(/^250 /);
  expect(await house.handIn("after")).toMatch(/^250 /);
  if (scenario.options.journal === true) await house.server.close(); // and all follows that was acknowledged
  for (const [recipient, seen] of house.seen()) {
    const copies = seen.filter((subject) => subject === "during").length;
    expect(copies, `${recipient}, killed at ${point}`).toBeGreaterThanOrEqual(1);
    expect(copies, `${recipient}, killed at ${point}`).toBeLessThanOrEqual(acknowledged ? 1 : 2);
    expect(seen.filter((subject) => subject === "after")).toHaveLength(1);
  }
  // What was on its way in `tmp` is swept by the next process, and never taken for mail
  await expect.poll(() => house.leftovers.filter((path) => /\/tmp\/[^/]+$/.test(path)), { timeout: 5000 }).toEqual([]);
}

/** Points of a kill that CI tries of each scenario: one recipient's calls follow each other, so before the next is after this. */
const few = new Map([
  ["one recipient", 22],
  ["three recipients", 4],
  ["three new recipients", 3],
  ["one recipient, journal", 12],
  ["three recipients, journal", 4],
  ["three new recipients, journal", 3],
]);

const killed = scenarios.filter(({ name }) => long || few.has(name));

describe.each(killed)("$name", { timeout: 600_000 }, (scenario) => {
  test("killed before and after each call", async () => {
    const whole = await live(mkdtempSync(join(street, "life-")), scenario, "never");
    const [reply, calls] = whole.printed.trim().split(" ");
    expect(reply).toBe("250");
    expect(Number(calls)).toBeGreaterThanOrEqual(scenario.calls);
    const all = Array.from({ length: Number(calls) }, (_, index) => [`<${index + 1}`, `>${index + 1}`]).flat();
    const most = long ? all.length : (few.get(scenario.name) ?? 0);
    const points = all.filter(
      (_, index) => Math.floor((index * most) / all.length) !== Math.floor(((index - 1) * most) / all.length),
    );
    // Two at a time
    const lives = [0, 1].map(async (first) => {
      for (const point of points.filter((_, index) => index % 2 === first)) await dieAt(scenario, point);
    });
    await Promise.all(lives);
  });
});
