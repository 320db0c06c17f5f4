import { TestClock } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { Deadlines } from "../../src/host/deadlines.ts";

/** Somebody who waits: is told once, and leaves. */
class Waiting {
  place = -1;
  dueAt: number;
  toldAt: number | undefined;
  readonly #deadlines: Deadlines;
  readonly #clock: TestClock;

  constructor(deadlines: Deadlines, clock: TestClock, milliseconds: number) {
    this.#deadlines = deadlines;
    this.#clock = clock;
    this.dueAt = clock.now() + milliseconds;
    deadlines.add(this);
  }

  overdue(): void {
    this.toldAt = this.#clock.now();
    this.#deadlines.delete(this);
  }
}

const begin = () => {
  const clock = new TestClock(0);
  return { clock, deadlines: new Deadlines(clock) };
};

test("whoever is late is told in time, and a deadline that moved away is kept", () => {
  const { clock, deadlines } = begin();
  const [first, second, moved] = [100, 200, 100].map((wait) => new Waiting(deadlines, clock, wait));
  if (first === undefined || second === undefined || moved === undefined) throw new Error("three of them");
  moved.dueAt = 1000;
  clock.advance(2000);
  expect(first.toldAt).toBe(100);
  expect(second.toldAt).toBeCloseTo(200, 0);
  expect(moved.toldAt).toBeCloseTo(1000, 0);
});

test("a deadline that came nearer is heeded", () => {
  const { clock, deadlines } = begin();
  const one = new Waiting(deadlines, clock, 1000);
  one.dueAt = 10;
  deadlines.moved(one);
  clock.advance(1000);
  expect(one.toldAt).toBe(10);
});

test("one timer for ten thousand, none for nobody, and the last is told within a quarter of a second", () => {
  const { clock, deadlines } = begin();
  const all = Array.from({ length: 10_000 }, (_, at) => new Waiting(deadlines, clock, 1000 + at));
  expect(clock.waiting).toBe(1);
  clock.advance(12_000);
  for (const { dueAt, toldAt = Infinity } of all) {
    expect(toldAt).toBeGreaterThanOrEqual(dueAt);
    expect(toldAt).toBeLessThan(dueAt + 250);
  }
  expect(clock.waiting).toBe(0);
});

test("who leaves because another was told is told no more", () => {
  const { clock, deadlines } = begin();
  const [first, second] = [100, 100].map((wait) => new Waiting(deadlines, clock, wait));
  if (first === undefined || second === undefined) throw new Error("two of them");
  first.overdue = () => [first, second].forEach((one) => deadlines.delete(one));
  clock.advance(1000);
  expect(second.toldAt).toBe(undefined);
  expect(clock.waiting).toBe(0);
});
