import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Spool, type SpoolPlace } from "../../src/message/spool.ts";
import { joinOctets } from "../../src/protocol/octets.ts";
import { collect, place } from "../support/spool.ts";

const KiB = 1024;
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mailhost-spool-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Octets that tell where they stand. */
const numbered = (length: number, from = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (from + index) * 7 + ((from + index) >> 8));

async function pour(spool: Spool, octets: Uint8Array, piece: number): Promise<void> {
  for (let at = 0; at < octets.length; at += piece) {
    spool.write(octets.slice(at, at + piece));
    if (spool.full) await spool.drained();
  }
}

async function fill(spool: Spool, octets: Uint8Array, piece: number): Promise<void> {
  await pour(spool, octets, piece);
  await spool.finish();
}

const inMemory = (): SpoolPlace => place(4096 * KiB, 16_384 * KiB, folder);
const inFile = (): SpoolPlace => place(0, 4096 * KiB, folder);
const halfAndHalf = (): SpoolPlace => place(300 * KiB, 4096 * KiB, folder);
const noBudget = (): SpoolPlace => place(4096 * KiB, 100 * KiB, folder);

describe.each([
  ["in memory", inMemory],
  ["in a file", inFile],
  ["in memory first", halfAndHalf],
  ["over the budget of all", noBudget],
])("content %s", (_, make) => {
  test.each([1, 100, 1023, 1024, 5000, 70_000, 2_000_000])(
    "is read as it was written, in pieces of %i",
    async (piece) => {
      const where = make();
      const octets = numbered(piece === 1 ? 20_000 : 900_000);
      const spool = new Spool(where);
      await fill(spool, octets, piece);
      expect(spool.octets).toBe(octets.length);
      expect(Buffer.compare(await collect(spool.read()), octets)).toBe(0);
      for (const start of [1, 1023, 300 * KiB, octets.length - 1, octets.length, octets.length + 5])
        expect(Buffer.compare(await collect(spool.read(start)), octets.slice(start))).toBe(0);
      await spool.dispose();
      expect(where.budget.taken).toBe(0);
    },
  );

  test("is read by many at once, and stays until the last has finished", async () => {
    const where = make();
    const octets = numbered(700_000);
    const spool = new Spool(where);
    await fill(spool, octets, 30_000);
    const readers = [spool.read(), spool.read(10), spool.read(699_999)];
    await Promise.all(readers.map((reader) => reader.next()));
    const slow = spool.read();
    const first = await slow.next();
    await spool.dispose();
    const rest = await collect(slow);
    expect(Buffer.compare(joinOctets([first.value ?? new Uint8Array(0), rest]), octets)).toBe(0);
    for (const reader of readers) await reader.return(undefined);
    expect(where.budget.taken).toBe(0);
  });
});

test("mixed pieces keep their order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1000, max: 9000 })), { maxLength: 60 }),
      fc.constantFrom(0, 2000, 1_000_000),
      async (lengths, memory) => {
        const spool = new Spool(place(memory, 1_000_000, folder));
        const pieces: Uint8Array[] = [];
        let at = 0;
        for (const length of lengths) {
          const piece = numbered(length, at);
          at += length;
          pieces.push(piece);
          spool.write(piece);
        }
        await spool.finish();
        expect(Buffer.compare(await collect(spool.read()), joinOctets(pieces))).toBe(0);
        await spool.dispose();
      },
    ),
    { numRuns: 100 },
  );
});

test("pieces of one octet are gathered: what a reader gets is few and large", async () => {
  const spool = new Spool(inMemory());
  for (let at = 0; at < 100_000; at += 1) spool.write(Uint8Array.of(at));
  await spool.finish();
  const sizes: number[] = [];
  for await (const piece of spool.read()) sizes.push(piece.length);
  expect(sizes.length).toBeLessThan(10);
  await spool.dispose();
});

test("the file has no name, so nothing is left by a crash", async () => {
  const own = await mkdtemp(join(folder, "own-"));
  const spool = new Spool(place(0, 0, own));
  await fill(spool, numbered(600_000), 50_000);
  expect(await readdir(own)).toEqual([]);
  expect((await collect(spool.read())).length).toBe(600_000);
  await spool.dispose();
});

describe("when the file system says no", () => {
  const broken = (memory: number): SpoolPlace => place(memory, 4 * memory, join(folder, "missing"));

  test("finish rejects with its error, the budget is whole again, and nothing more is kept", async () => {
    const where = broken(1000);
    const spool = new Spool(where);
    spool.write(numbered(1000));
    expect(where.budget.taken).toBe(1000);
    spool.write(numbered(400_000));
    await spool.drained();
    for (let times = 0; times < 20; times += 1) spool.write(numbered(400_000));
    await expect(spool.finish()).rejects.toMatchObject({ code: "ENOENT" });
    expect(spool.error).toMatchObject({ code: "ENOENT" });
    expect(spool.octets).toBe(0);
    await spool.dispose();
    expect(where.budget.taken).toBe(0);
  });

  test("what is too small for a block is refused at the end", async () => {
    const spool = new Spool(broken(10));
    spool.write(numbered(100));
    expect(spool.error).toBeUndefined();
    await expect(spool.finish()).rejects.toMatchObject({ code: "ENOENT" });
    await spool.dispose();
  });
});

test("a writer that does not wait is told when it must", async () => {
  const spool = new Spool(inFile());
  expect(spool.full).toBe(false);
  spool.write(numbered(256 * KiB));
  expect(spool.full).toBe(true);
  spool.write(numbered(300 * KiB, 256 * KiB));
  await spool.drained();
  expect(spool.full).toBe(false);
  await spool.finish();
  expect(Buffer.compare(await collect(spool.read()), numbered(556 * KiB))).toBe(0);
  await spool.dispose();
});

test("a spool that is given up while it writes leaves nothing", async () => {
  const where = inFile();
  const spool = new Spool(where);
  spool.write(numbered(300 * KiB));
  await spool.dispose();
  expect(where.budget.taken).toBe(0);
  expect(await readdir(folder).then((names) => names.filter((name) => name.startsWith("mailhost-")))).toEqual([]);
});

test("the budget is shared: who comes late goes to the file, and what was taken comes back", async () => {
  const where = place(1600, 150, folder);
  const [one, other] = [new Spool(where), new Spool(where)];
  one.write(numbered(100));
  other.write(numbered(100));
  expect(where.budget.taken).toBe(100);
  await Promise.all([one.finish(), other.finish()]);
  await one.dispose();
  expect(where.budget.taken).toBe(0);
  expect((await collect(other.read())).length).toBe(100);
  await other.dispose();
  expect(where.budget.taken).toBe(0);
});

test("a message may hold a sixteenth once a quarter of the budget is taken", async () => {
  const where = place(1600, 8000, folder);
  where.budget.take(1000);
  const [long, short] = [new Spool(where), new Spool(where)];
  long.write(numbered(1000));
  expect(where.budget.taken).toBe(2000);
  short.write(numbered(100));
  expect(where.budget.taken).toBe(2100);
  short.write(numbered(1, 100));
  long.write(numbered(1, 1000));
  await Promise.all([long.finish(), short.finish()]);
  expect(where.budget.taken).toBe(1000);
  expect(await collect(long.read())).toEqual(numbered(1001));
  expect(await collect(short.read())).toEqual(numbered(101));
  await Promise.all([long.dispose(), short.dispose()]);
});

test("where there was memory for two blocks of a MiB it stays taken until all is in the file", async () => {
  const where = place(2048 * KiB, 65_536 * KiB, folder);
  const spool = new Spool(where);
  await pour(spool, numbered(2048 * KiB), 64 * KiB);
  expect(where.budget.taken).toBe(2048 * KiB);
  await pour(spool, numbered(1023 * KiB, 2048 * KiB), 64 * KiB);
  expect(spool.full).toBe(false);
  spool.write(numbered(KiB, 3071 * KiB));
  spool.write(numbered(1024 * KiB, 3072 * KiB));
  expect(spool.full).toBe(true);
  await spool.drained();
  expect(where.budget.taken).toBe(2048 * KiB);
  await spool.finish();
  expect(where.budget.taken).toBe(0);
  expect(Buffer.compare(await collect(spool.read()), numbered(4096 * KiB))).toBe(0);
  await spool.dispose();
});

test("a reader may change what it gets: the next one reads what was written", async () => {
  for (const piece of [100, 5000]) {
    const spool = new Spool(inMemory());
    const octets = numbered(10_000);
    await fill(spool, octets, piece);
    for await (const got of spool.read()) got.fill(0);
    expect(Buffer.compare(await collect(spool.read()), octets)).toBe(0);
    await spool.dispose();
  }
});

test("pieces of a reader that asks for it come into the same memory, and no other reader is disturbed", async () => {
  const octets = numbered(900_000);
  const spool = new Spool(inFile());
  await fill(spool, octets, 5000);
  const [read, memory] = [[] as Uint8Array[], new Set<ArrayBufferLike>()];
  const other = spool.read(7, { reuse: true });
  for await (const piece of spool.read(0, { reuse: true })) {
    read.push(piece.slice());
    memory.add(piece.buffer);
    piece.fill(0);
    const its: IteratorResult<Uint8Array, undefined> = await other.next();
    if (its.value !== undefined) expect(memory.has(its.value.buffer)).toBe(false);
  }
  expect(Buffer.compare(joinOctets(read), octets)).toBe(0);
  expect(memory.size).toBe(1);
  await other.return(undefined);
  await spool.dispose();
});

test("a reader may transfer the memory that its pieces come into", async () => {
  const octets = numbered(900_000);
  const spool = new Spool(inFile());
  await fill(spool, octets, 5000);
  const read: Uint8Array[] = [];
  for await (const piece of spool.read(0, { reuse: true })) {
    const { buffer } = piece as Uint8Array<ArrayBuffer>; // a file is read into no other
    read.push(structuredClone(piece, { transfer: [buffer] }));
  }
  expect(Buffer.compare(joinOctets(read), octets)).toBe(0);
  await spool.dispose();
});
