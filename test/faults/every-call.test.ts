import { readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type Fault, arm, failures, others, writes } from "./faults.ts";
import { type FileCall, FileCalls } from "./file-calls.ts";
import { House, type Scenario, emptyStreet, inJournal, journalFiles, neighbour, scenarios } from "./house.ts";

// Every system call of a delivery in turn fails: the client is told to come again, nothing is left behind,
// and the next message is taken by the same server. `npm run faults:long` lets every call meet every fault.

const long = process.env["FAULTS"] === "long";
const street = emptyStreet();
let calls: FileCalls;
beforeAll(() => {
  calls = new FileCalls(street);
});
afterAll(() => {
  calls.release();
  rmSync(street, { recursive: true, force: true });
});

const inSpool = ({ path }: FileCall): boolean => /\/spool(?:\/|$)/.test(path);

const alone = ({ recipients }: Scenario): boolean => recipients.length === 1;

/** The calls of one delivery: what a recipient takes comes first, the end of the spool file last. */
async function enumerate(scenario: Scenario): Promise<FileCall[]> {
  const house = await opened(scenario);
  expect(await house.handIn("counted")).toMatch(/^250 /);
  await calls.idle();
  const { made } = calls;
  await letGo(house);
  return made;
}

async function opened(scenario: Scenario, delivery?: number): Promise<House> {
  calls.restart();
  calls.plenty = scenario.again === true;
  const house = new House(street, scenario, delivery);
  onTestFinished(() => house.close());
  await house.open();
  await calls.idle();
  calls.restart();
  return house;
}

/** A spool file that was kept is closed when some seconds bring no body for it. */
async function letGo({ clock, scenario }: House): Promise<void> {
  if (scenario.again !== true) return;
  calls.restart();
  clock.advance(4000);
  await calls.idle();
}

/** The first call of a commit: the others come before it. */
const commitOf = (made: readonly FileCall[], { options }: Scenario): number =>
  options.journal === true ? made.findLastIndex(isAcknowledging) - 1 : made.findIndex(({ name }) => name === "rename");

/** The call after which a message is safe in the journal. */
const isAcknowledging = (call: FileCall): boolean => call.name === "datasync" && inJournal(call);

/**
 * Calls whose failure is no reason to refuse: RCPT judges quotas ahead of time, the spool file has no name, and what
 * follows the acknowledgement out of the journal is tried again.
 */
const harmless = (made: readonly FileCall[], call: FileCall): boolean =>
  call.number <= made.findIndex(inSpool) ||
  ((call.name === "close" || call.name === "statfs") && inSpool(call)) ||
  (made.some(isAcknowledging) && call.number > made.findIndex(isAcknowledging) + 1);

/** Whatever follows out of the journal, once the file system takes it. */
async function putOut({ clock, scenario }: House): Promise<void> {
  if (scenario.options.journal !== true) return;
  calls.restart();
  clock.advance(11_000); // the journal takes messages again behind a segment that could not be made
  await calls.idle();
}

/** Folders above the root are synced where they may be read. */
const isAbove = ({ root }: House, { name, path }: FileCall): boolean =>
  (name === "open" || name === "sync" || name === "close") && path !== root && root.startsWith(path);

/** Lets the fault befall one call; false where it cannot befall it. */
async function inject(house: House, all: readonly FileCall[], fault: Fault, at: number): Promise<boolean> {
  const { scenario } = house;
  calls.restart();
  const struck = arm(calls, fault, at);
  const reply = await house.handIn("during");
  await calls.idle();
  const { made } = calls;
  if (struck.length === 0) return false;
  const where = `${fault.name} at ${struck[0]?.number}, ${struck[0]?.name} ${struck[0]?.path}`;
  // Three copies are written at once, and which comes first is nobody's promise
  if (alone(scenario) && struck[0]?.number === at) expect(struck[0].name, where).toBe(all[at - 1]?.name);
  const refused = struck.some((call) => !harmless(made, call) && !(fault.name === "EACCES" && isAbove(house, call)));
  expect(reply.slice(0, 3), `${where}: ${reply}`).toBe(refused ? fault.reply : "250");
  await putOut(house);
  await letGo(house);
  const left = fault.leaves === true && refused;
  // What follows out of the journal writes elsewhere once the disk is back; the next start sweeps
  const unswept = left || (fault.leaves === true && scenario.options.journal === true);
  if (!unswept) expect(house.leftovers, where).toEqual([]);
  if (unswept) expect(calls.open, `open files, ${where}`).toBeLessThanOrEqual(journalFiles(street));
  else expect(calls.open, `open files, ${where}`).toBe(journalFiles(street));
  const before = house.seen();
  calls.restart();
  expect(await house.handIn("after"), where).toMatch(/^250 /);
  await calls.idle();
  const taken = refused && fault.reply !== "250" ? [] : ["during"];
  for (const [recipient, seen] of house.seen()) {
    const expected = [...(scenario.warm ? ["before"] : []), ...taken].toSorted();
    if (!left) expect(before.get(recipient), `${recipient}, ${where}`).toEqual(expected);
    expect(before.get(recipient), `${recipient}, ${where}`).not.toContain("torn");
    expect(seen, `${recipient}, ${where}`).toEqual([...(before.get(recipient) ?? []), "after"].toSorted());
  }
  return true;
}

/** One call takes five seconds: others are served meanwhile, and then all is as ever. */
async function wait(scenario: Scenario, all: readonly FileCall[], at: number): Promise<void> {
  const house = await opened(scenario);
  const held = hold(house, at);
  const reply = house.handIn("during");
  const call = await held;
  const where = `${call.name} ${call.path}`;
  if (alone(scenario)) expect(call.name).toBe(all[at - 1]?.name);
  // Who finds no root has to wait for it like everybody
  if (!house.root.startsWith(call.path) && !inJournal(call))
    expect(await house.handIn("meanwhile", [neighbour]), where).toMatch(/^250 /);
  house.clock.advance(5000);
  expect(await reply, where).toMatch(/^250 /);
  await calls.idle();
  const seen = [...(scenario.warm ? ["before"] : []), "during"];
  for (const [recipient, subjects] of house.seen()) expect(subjects, `${recipient}, ${where}`).toEqual(seen);
  await letGo(house);
}

/** As `wait`, where the client is told after one second to come again. */
async function waitInVain(scenario: Scenario, at: number): Promise<void> {
  const house = await opened(scenario, 1000);
  const held = hold(house, at);
  const reply = house.handIn("during");
  const { name, path } = await held;
  house.clock.advance(1000);
  expect(await reply, `${name} ${path}`).toMatch(/^451 /);
  house.clock.advance(4000);
  await expect.poll(() => house.leftovers, { interval: 2 }).toEqual([]);
  await calls.idle();
  await letGo(house);
  expect(calls.open, `open files, ${name} ${path}`).toBe(journalFiles(street));
  expect(await house.handIn("after"), `${name} ${path}`).toMatch(/^250 /);
  await calls.idle();
  const seen = [...(scenario.warm ? ["before"] : []), "after"].toSorted();
  for (const subjects of house.seen().values()) expect(subjects, `${name} ${path}`).toEqual(seen);
  await letGo(house);
}

/** The call, once it begins; it goes on in five seconds. */
function hold(house: House, at: number): Promise<FileCall> {
  return new Promise((resolve) => {
    calls.meet = async (call) => {
      if (call.number !== at) return call.perform();
      call.aside();
      await new Promise<void>((goOn) => {
        house.clock.after(5000, goOn);
        resolve(call);
      });
      return call.perform();
    };
  });
}

describe.each(scenarios)("$name", { timeout: long ? 600_000 : 180_000 }, (scenario) => {
  const few = !long && scenario.oneIn > 1;
  const faults = [...failures, ...others];

  test("each call fails, in each way", async () => {
    const all = await enumerate(scenario);
    let injected = 0;
    // One server for all of it, but where each delivery has to be the first
    const same = scenario.warm ? await opened(scenario) : undefined;
    for (const { number } of all)
      for (const [index, fault] of faults.entries()) {
        if (!long && (number + index) % scenario.oneIn > 0) continue;
        const house = same ?? (await opened(scenario));
        if (await inject(house, all, fault, number)) injected += 1;
        if (same === undefined) await house.close();
        else same.tidy();
      }
    expect(all.length, "calls").toBeGreaterThanOrEqual(scenario.calls);
    expect(injected, "faults injected").toBeGreaterThan((all.length * faults.length) / (long ? 2 : 2 * scenario.oneIn));
  });

  test("each call takes five seconds", async () => {
    const all = await enumerate(scenario);
    for (const { number } of all) {
      if (few && number % 4 > 0) continue;
      await wait(scenario, all, number);
    }
  });

  test("each call takes longer than the delivery may", async () => {
    const all = await enumerate(scenario);
    const first = all.findLastIndex((call) => writes(call) && inSpool(call)) + 1;
    const staged = all.slice(first, commitOf(all, scenario));
    for (const { number } of staged) if (!few || number % 4 === 0) await waitInVain(scenario, number);
  });
});

test("nothing is called that was not met", () => {
  // Every function of node:fs/promises and of open files is met; what else could touch the disk is not imported
  const sources = ["../../core/src/message", "../../plugins/maildir/src"].flatMap((folder) => sourcesIn(folder));
  const imports = sources.flatMap((text) => [...text.matchAll(/^import (.+) from "node:(fs[^"]*|child_process)";$/gm)]);
  const others = imports.filter(
    ([, names = "", module]) => module !== "fs/promises" && names !== "{ constants }" && !names.startsWith("type "),
  );
  expect(imports.length).toBeGreaterThan(others.length);
  // Calls that call back, and the thread's that block: a test of the plugin's holds both to those of node:fs/promises
  expect(others.map(([line]) => line)).toEqual(Array.from({ length: 2 }, () => 'import * as fs from "node:fs";'));
  // What the plugin says it uses, the spool's, and those of open files; `access` is for the start
  const used = ["lstat", "mkdir", "open", "opendir", "rename", "rmdir", "stat", "unlink", "chmod", "utimes", "statfs"];
  const handles = ["read", "write", "writev", "sync", "datasync", "close", "nextEntry", "closeFolder"];
  expect([...calls.names].toSorted()).toEqual([...used, ...handles].toSorted());
});

function sourcesIn(folder: string): string[] {
  const path = fileURLToPath(new URL(folder, import.meta.url));
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), "utf8"));
}
