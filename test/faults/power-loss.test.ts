import { rmSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { emptyStreet } from "./house.ts";
import { type Life, journaled, killed, lives, overtaken } from "./power/lives.ts";
import { type Mutation, amid, before, unsynced } from "./power/mutations.ts";
import { cutAndRecover, cutEverywhere } from "./power/promise.ts";
import { postsOf, record, recordKilled, recordOvertaken } from "./power/record.ts";

// P9 when the power is cut: what is asked of the file system is written down, and at each moment of it every state that
// power/disk.ts holds possible is looked at as a reader would.

const long = process.env["FAULTS"] === "long";
const seed = Number(process.env["FAULTS_SEED"] ?? (long ? Date.now() % 2 ** 31 : 20_260_101));
const patience = { most: long ? 50_000 : 1000, atRandom: long ? 5000 : 100, seed };

const street = emptyStreet();
afterAll(() => rmSync(street, { recursive: true, force: true }));

/** What each client must have been told for the life to be what its name says. */
const expectedCodes = ({ posts }: Life): string[] =>
  posts.flat().flatMap(({ fails, hangsUp }) => (hangsUp ? [] : [fails === undefined ? "250" : "452"]));

describe("whenever the power is cut, P9 holds", { timeout: 600_000 }, () => {
  const rounds = long ? 50 : 3;
  test.each(lives)("$name", async (life) => {
    for (let round = 0; round < (life.overlaps === true ? rounds : 1); round += 1) {
      const recorded = await record(street, life, seed + round);
      const told = recorded.log.steps.flatMap((step) => (step.kind === "told" ? [step.code] : []));
      expect(told).toEqual(expectedCodes(life));
      const { broken, states, cuts } = cutEverywhere(recorded, patience);
      expect(broken, `seed ${seed}, round ${round}`).toBeUndefined();
      expect(cuts).toBeGreaterThan(20);
      expect(states).toBeGreaterThan(cuts);
    }
  });
});

describe("a server that starts on what a cut left keeps it and goes on", { timeout: 3_600_000 }, () => {
  const few = { most: 1, atRandom: long ? 10 : 3, seed };
  const again = { most: 1, atRandom: 3, seed };
  test.each(long ? lives : lives.slice(0, 3))("$name", async (life) => {
    const recorded = await record(street, life, seed);
    const { broken, states } = await cutAndRecover(street, recorded, few, long ? again : undefined);
    expect(broken, `seed ${seed}`).toBeUndefined();
    expect(states).toBeGreaterThan(10);
  });
});

describe("with a journal, P9 holds once a server has started on what a cut left", { timeout: 3_600_000 }, () => {
  const few = { most: 1, atRandom: long ? 5 : 1, seed };
  const again = { most: 1, atRandom: 1, seed };
  test.each(long ? journaled : journaled.slice(0, 2))("$name", async (life) => {
    const recorded = await record(street, life, seed);
    const told = recorded.log.steps.flatMap((step) => (step.kind === "told" ? [step.code] : []));
    expect(told).toEqual(expectedCodes(life));
    const { broken, states } = await cutAndRecover(street, recorded, few, long ? again : undefined);
    expect(broken, `seed ${seed}`).toBeUndefined();
    expect(states).toBeGreaterThan(20);
  });
});

describe("the process is killed, another one goes on, then the power is cut", { timeout: 600_000 }, () => {
  test.each(killed)("$name", async (life) => {
    let behind = 1;
    for (; ; behind += long || life.name !== "three new recipients" ? 1 : 5) {
      const recorded = await recordKilled(street, life, behind);
      if (recorded === undefined) break;
      const told = recorded.log.steps.flatMap((step) => (step.kind === "told" ? [step.subject] : []));
      expect(told).toEqual(["again"]);
      // What the dead left unsynced multiplies the states
      const { broken } = cutEverywhere(recorded, long ? patience : { most: 20, atRandom: 10, seed });
      expect(broken, `killed behind ${behind} changes, seed ${seed}`).toBeUndefined();
    }
    expect(behind).toBeGreaterThan(15);
  });
});

describe("whichever fsync is slow, and another message overtakes it, P9 holds", { timeout: 600_000 }, () => {
  test.each(overtaken)("$name", async (life) => {
    let which = 1;
    for (; ; which += 1) {
      const recorded = await recordOvertaken(street, life, which);
      if (recorded === undefined) break;
      const told = recorded.log.steps.flatMap((step) => (step.kind === "told" ? [step.code] : []));
      expect(told).toEqual(postsOf(life).map(() => "250"));
      const { broken } = cutEverywhere(recorded, patience);
      expect(broken, `fsync ${which} is slow`).toBeUndefined();
    }
    expect(which).toBeGreaterThan(2);
  });
});

describe("a server that forgets something is found out", () => {
  const named = (name: string): Life => {
    const life = lives.find((one) => one.name === name);
    if (life === undefined) throw new Error(`there is no life ${name}`);
    return life;
  };
  const one = named("one recipient, a new mailbox");
  const warm = named("one recipient, a mailbox that is there");
  const tag = named("a new mailbox and a new folder for the tag");
  const three = named("three recipients");
  const [torn, lost] = ["not whole", 'finds 0 of "during"'] as const;
  const file = /\/tmp\/[^/]+$/;
  const controls: readonly [string, Life, Mutation, string][] = [
    ["no fsync of the file", warm, unsynced(file), torn],
    ["no fsync of new", warm, unsynced(/\/new$/), 'finds 0 of "before"'],
    ["no fsync of the root", one, unsynced(/\/mail$/), lost],
    ["no fsync of the domain", one, unsynced(/\/example\.com$/), lost],
    ["no fsync of the mailbox", one, unsynced(/\/jane$/), lost],
    ["no fsync of the mailbox of a tag", tag, unsynced(/\/john$/), lost],
    ["no fsync of the folder of a tag", tag, unsynced(/\/\.list$/), lost],
    ["no fsync of one of three", three, unsynced(/zoe\/new$/), 'finds 0 of "before"'],
    ["the file is shown before its fsync", one, before(/^rename/, /^sync .*\/tmp\//), torn],
    ["the fsync of new is begun before the file is there", one, amid(/^sync .*\/new$/, /^rename/), lost],
    ["the client is told before the fsync of new", one, before(/^250/, /^sync .*\/new$/), lost],
    ["the client is told before the fsync of the file", one, before(/^250/, /^sync .*\/tmp\//), lost],
  ];
  test.each(controls)("%s", async (_name, life, mutation, found) => {
    const recorded = await record(street, life, seed);
    expect(cutEverywhere(recorded, patience).broken).toBeUndefined();
    expect(cutEverywhere({ ...recorded, log: mutation(recorded.log) }, patience).broken).toContain(found);
  });

  test("a journal: no fdatasync of the log, or the client is told before it", { timeout: 600_000 }, async () => {
    const [life] = journaled;
    if (life === undefined) throw new Error("there is no life with a journal");
    const recorded = await record(street, life, seed);
    for (const mutation of [unsynced(/journal\/.*\.log$/), before(/^250/, /^datasync/)]) {
      const mutant = { ...recorded, log: mutation(recorded.log) };
      const { broken } = await cutAndRecover(street, mutant, { most: 1, atRandom: 1, seed }, undefined);
      expect(broken).toMatch(/finds 0 of "(?:before|during)"/);
    }
  });

  test("fsync: false", async () => {
    const recorded = await record(street, { ...warm, options: { fsync: false } }, seed);
    expect(cutEverywhere(recorded, patience).broken).toBeDefined();
  });
});
