import type { StatsFs } from "node:fs";
import { mkdtemp, rm, type statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestClock } from "@mailhost/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { MemoryBudget } from "../../src/message/budget.ts";
import { Spool } from "../../src/message/spool.ts";
import type { SpoolFile } from "../../src/message/spool-file.ts";
import { SpoolFiles } from "../../src/message/spool-files.ts";
import { collect, latin1, octetsOf } from "../support/spool.ts";

const MiB = 1024 * 1024;

/** Octets free on the disk, or the error that tells nothing of it. */
let free: number | Error = Infinity;

vi.mock("node:fs/promises", async (original) => {
  const real = await original<{ statfs: typeof statfs }>();
  const asked = async (): Promise<Partial<StatsFs>> => {
    if (free instanceof Error) throw free;
    return { bavail: free / 4096, bsize: 4096 };
  };
  return { ...real, statfs: asked };
});

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mailhost-spool-"));
});
afterAll(() => rm(folder, { recursive: true }));

let clock: TestClock;
let files: SpoolFiles;
beforeEach(() => {
  free = 1024 * MiB;
  clock = new TestClock();
  files = new SpoolFiles(folder, clock);
});

const some = octetsOf("some octets");
const taken = (count: number): Promise<SpoolFile[]> =>
  Promise.all(Array.from({ length: count }, async () => files.take()));
const give = (all: readonly SpoolFile[]): Promise<unknown> => Promise.all(all.map((file) => files.give(file)));
const isOpen = (file: SpoolFile): Promise<boolean> =>
  file.write([some], 0).then(
    () => true,
    () => false,
  );

async function spooled(octets: Uint8Array): Promise<Spool> {
  const spool = new Spool({ memoryOctets: 0, budget: new MemoryBudget(0), files });
  spool.write(octets);
  await spool.finish();
  return spool;
}

describe("a file that nobody needs any more", () => {
  test("is written over by the next body, which ends where it ends", async () => {
    const long = await spooled(octetsOf("x".repeat(700_000)));
    await long.dispose();
    const short = await spooled(some);
    expect(latin1(await collect(short.read()))).toBe("some octets");
    expect(await collect(short.read(some.length))).toHaveLength(0);
    await short.dispose();
    const file = await files.take();
    expect(file.length).toBe(700_000);
    await file.close();
  });

  test("is nobody's while somebody reads it", async () => {
    const one = await spooled(octetsOf("one"));
    const reader = one.read();
    const { value } = await reader.next();
    await one.dispose();
    await one.dispose();
    const other = await spooled(octetsOf("other"));
    expect(latin1(value ?? some)).toBe("one");
    expect(await collect(reader)).toHaveLength(0);
    expect(latin1(await collect(other.read()))).toBe("other");
    await other.dispose();
    await files.close();
  });

  test("is nobody's while a body that was given up is still written", async () => {
    const givenUp = new Spool({ memoryOctets: 0, budget: new MemoryBudget(0), files });
    for (let times = 0; times < 3; times += 1) givenUp.write(octetsOf("x".repeat(600_000)));
    await givenUp.dispose();
    const text = "next".repeat(300_000);
    const next = await spooled(octetsOf(text));
    expect(latin1(await collect(next.read()))).toBe(text);
    await next.dispose();
    await files.close();
  });

  test("is one of four that are kept", async () => {
    const all = await taken(6);
    await give(all);
    expect(await Promise.all(all.map(isOpen))).toEqual([true, true, true, true, false, false]);
    await files.close();
    expect(await Promise.all(all.map(isOpen))).not.toContain(true);
  });

  test("is closed when it was not used between two looks", async () => {
    const [idle, used] = await taken(2);
    if (idle === undefined || used === undefined) throw new Error("there are no files");
    await give([idle, used]);
    clock.advance(2000);
    expect(await files.take()).toBe(used);
    await files.give(used);
    clock.advance(2000);
    expect([await isOpen(idle), await isOpen(used)]).toEqual([false, true]);
    clock.advance(2000);
    expect(await isOpen(used)).toBe(false);
    expect(clock.waiting).toBe(0);
  });

  test.each([
    ["too long", (file: SpoolFile) => file.write([some], 32 * MiB)],
    ["twenty seconds old", async () => clock.advance(20_000)],
    ["broken", (file: SpoolFile) => file.read(new Uint8Array(1), 5).catch(() => {})],
    ["more than there is room for", async () => void (free = 1024 * MiB - 4096)],
    ["on a disk that says nothing", async () => void (free = new Error("EIO"))],
    ["of a server that has closed", () => files.close()],
  ])("is closed when it is %s", async (_, become) => {
    const file = await files.take();
    await become(file);
    await files.give(file);
    expect(await isOpen(file)).toBe(false);
    expect(clock.waiting).toBe(0);
  });
});
