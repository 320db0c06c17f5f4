import { describe, expect, test } from "vitest";
import { heldRatios, looks, sameNode, worseCounts, worseRatios } from "../../bench/speed/check.mts";
import type { Run } from "../../bench/speed/run.mts";
import { type Figure, type Row, resultOf } from "../../bench/speed/statistics.mts";

const figure = (microseconds: number, p99 = 1): Figure => ({
  microseconds,
  perSecond: 1000,
  used: 1,
  median: 1,
  p99,
  peak: 1,
});
const rounds = (...values: number[]): Map<number, Figure> => new Map(values.map((value, at) => [at, figure(value)]));
const rowWith = (ratio: number): Row => ({ mission: resultOf(rounds(ratio), rounds(1)) });
const before: Run = { on: { Node: "20.20.2" }, rounds: 1, rows: {}, held: { kept: 1 } };

/** Looks that find these ratios, one after the other, and how many of them were asked for. */
function looking(ratios: readonly number[]): { look: () => Promise<Row>; taken: () => number } {
  let taken = 0;
  return { look: () => Promise.resolve(rowWith(ratios[taken++] ?? NaN)), taken: () => taken };
}

describe("a ratio is worse when every look says so", () => {
  test.each([
    ["a fifth more is none", [1.2], 1, 0],
    ["less is none", [0.5], 1, 0],
    ["one look that is not worse is enough", [1.5, 1.21, 1.1], 3, 0],
    ["all looks are worse", [1.5, 1.3, 1.21, 1.4], looks.length, 1],
    ["a ratio that could not be measured is worse", [NaN, NaN, NaN, NaN], looks.length, 1],
  ])("%s", async (_name, ratios, taken, worse) => {
    const looked = looking(ratios);
    expect(await worseRatios(before, ["kept"], looked.look)).toHaveLength(worse);
    expect(looked.taken()).toBe(taken);
  });

  test("what is worse is told with all that was found", async () => {
    const told = await worseRatios(before, ["kept"], looking([1.5, 1.3, 1.25, 1.4]).look);
    expect(told).toEqual(["kept: x1.00 of limit before, x1.50, x1.30, x1.25, x1.40 now"]);
  });

  test("a workload that is new is not looked at", async () => {
    const looked = looking([9]);
    expect(await worseRatios(before, ["new"], looked.look)).toEqual([]);
    expect(looked.taken()).toBe(0);
  });
});

test("the next check is held to the largest of three looks", async () => {
  const looked = looking([1.4, 1.1, 1.2]);
  expect(await heldRatios(["kept"], looked.look)).toEqual({ kept: 1.4 });
  expect(looked.taken()).toBe(3);
});

describe("counts", () => {
  const was = { kept: { calls: 8, garbage: 18_000 } };
  test.each([
    ["the same", { calls: 8.05, garbage: 18_500 }, []],
    ["a call more", { calls: 9, garbage: 18_000 }, ["kept: calls a message were 8.0 and are 9.0"]],
    ["a quarter more garbage", { calls: 8, garbage: 22_500 }, ["kept: garbage a message were 18000.0 and are 22500.0"]],
    ["without strace", { garbage: 18_000 }, []],
  ])("%s", (_name, now, told) => expect(worseCounts(was, { kept: now })).toEqual(told));

  test("those of another major version of Node are not compared", () => {
    expect(sameNode(before, "20.19.0")).toBe(true);
    expect(sameNode(before, "24.1.0")).toBe(false);
  });
});

describe("a result", () => {
  test("compares with the base in the same round, and tells the medians", () => {
    const result = resultOf(rounds(20, 60, 90), rounds(10, 20, 90));
    expect(result).toMatchObject({ microseconds: 60, ratio: 2, low: 1, high: 3 });
  });

  test("of a server that took part in some rounds is held to those", () => {
    const some = new Map([[2, figure(90, 3)]]);
    expect(resultOf(some, rounds(10, 20, 30))).toMatchObject({ ratio: 3, p99Ratio: 3 });
  });
});
