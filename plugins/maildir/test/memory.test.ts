import { expect, test } from "vitest";
import { Memory, type Piece, mostRecordOctets } from "../src/journal/memory.ts";

test("pieces are apart, and what was not needed is the next one's", () => {
  const memory = new Memory();
  const [one, other] = [memory.take(1000), memory.take(1000)];
  one?.octets.fill(1);
  other?.octets.fill(2);
  expect([...new Set(one?.octets)]).toEqual([1]);
  // Only the last can leave room behind it
  expect(one?.trim(10)).toHaveLength(10);
  expect(other?.trim(10).byteOffset).toBe(1000);
  const next = memory.take(20);
  expect(next?.octets.byteOffset).toBe(1010);
  expect(next?.octets.buffer).toBe(one?.octets.buffer);
});

test("memory is used again when all that was in it is given back", () => {
  const memory = new Memory();
  const [one, other] = [memory.take(10), memory.take(10)];
  one?.giveBack();
  expect(memory.take(10)?.octets.byteOffset).toBe(20);
  other?.giveBack();
  expect(memory.take(10)?.octets.byteOffset).toBe(30);
  const alone = new Memory();
  alone.take(mostRecordOctets)?.giveBack();
  expect(alone.take(10)?.octets.byteOffset).toBe(0);
});

test("memory has an end, and goes on when something is given back", () => {
  const memory = new Memory();
  const pieces: Piece[] = [];
  for (let piece = memory.take(mostRecordOctets); piece !== undefined; piece = memory.take(mostRecordOctets))
    pieces.push(piece);
  expect(pieces.length * mostRecordOctets).toBe(16 * 1024 * 1024);
  for (const piece of pieces.splice(0, 32)) piece.giveBack();
  expect(new Set(pieces.map(({ octets }) => octets.buffer)).size).toBe(32);
  for (let left = 0; left < 32; left += 1) expect(memory.take(mostRecordOctets)).toBeDefined();
  expect(memory.take(1)).toBeUndefined();
});
