import { expect, test } from "vitest";
import { Spool } from "../../src/message/spool.ts";
import { collect, place } from "../support/spool.ts";
import { giveRoom, pieceOctets, takeRoom } from "../../src/message/pieces.ts";

test("a piece that was given is taken again, as it was left", () => {
  const piece = takeRoom(pieceOctets);
  piece.fill(0x61);
  giveRoom(piece.buffer);
  const again = takeRoom(pieceOctets);
  expect(again.buffer).toBe(piece.buffer);
  expect(again).toHaveLength(pieceOctets);
  expect(again[0]).toBe(0x61);
});

test("no more than two mebibytes are kept, and what is too much is freed at once", () => {
  const pieces = Array.from({ length: 40 }, () => takeRoom(pieceOctets));
  for (const { buffer } of pieces) giveRoom(buffer);
  expect(pieces.filter(({ buffer }) => buffer.byteLength > 0)).toHaveLength(32);
});

test("room is as large as what comes, at most twice as large, and never larger than a piece", () => {
  for (const [octets, size] of [
    [1, 1024],
    [1024, 1024],
    [1025, 2048],
    [4200, 8192],
    [40_000, pieceOctets],
    [pieceOctets, pieceOctets],
    [1_000_000, pieceOctets],
  ] as const)
    expect(takeRoom(octets)).toHaveLength(size);
});

test("small rooms are taken again too, as many of each size", () => {
  const rooms = Array.from({ length: 40 }, () => takeRoom(5000));
  for (const { buffer } of rooms) giveRoom(buffer);
  const again = new Set(Array.from({ length: 40 }, () => takeRoom(5000).buffer));
  expect(rooms.filter(({ buffer }) => again.has(buffer))).toHaveLength(32);
});

test("room of another size is freed, and that twice is no harm", () => {
  const room = new Uint8Array(20_000);
  giveRoom(room.buffer);
  giveRoom(room.buffer);
  expect(room).toHaveLength(0);
});

test("bodies that come at once, end early and go to files never hold each other's octets", async () => {
  const where = place(500 * 1024, 4 * 1024 * 1024);
  const body = async (number: number): Promise<void> => {
    const octets = new Uint8Array(200_000 + number * 70_001).fill(number);
    const spool = new Spool(where);
    for (let at = 0; at < octets.length; at += 30_000 + number * 997) {
      spool.write(octets.slice(at, at + 30_000 + number * 997));
      if (spool.full) await spool.drained();
      else await new Promise((resolve) => setImmediate(resolve));
      if (number % 3 === 0 && at > 150_000) return spool.dispose(); // the client hung up
    }
    await spool.finish();
    const read = await collect(spool.read());
    expect(read).toHaveLength(octets.length);
    expect(read.every((octet) => octet === number)).toBe(true);
    await spool.dispose();
  };
  for (let round = 0; round < 3; round += 1)
    await Promise.all(Array.from({ length: 24 }, (_, index) => body(1 + index)));
  expect(where.budget.taken).toBe(0);
});
