import { expect, test } from "vitest";
import { allSoon, attempt, calledBack, soon } from "../../src/protocol/soon.ts";

const fail = (): never => {
  throw new Error("on purpose");
};
const told = (error: unknown): string => String(error);

test("where nobody has to wait there is no promise", () => {
  expect(soon(1, (value) => value + 1)).toBe(2);
  expect(attempt<number | string>(() => 3, told)).toBe(3);
  expect(attempt<string>(fail, told)).toBe("Error: on purpose");
  expect(allSoon([1, 2])).toEqual([1, 2]);
  expect(allSoon([])).toEqual([]);
  expect(calledBack((done) => done(4))).toBe(4);
  expect(calledBack((done) => done(undefined))).toBeUndefined();
});

test("where somebody has to wait there is one", async () => {
  const later = soon(Promise.resolve(1), (value) => value + 1);
  expect(later).toBeInstanceOf(Promise);
  expect(await later).toBe(2);
  expect(await attempt<number | string>(() => Promise.resolve(3), told)).toBe(3);
  expect(await attempt<string>(() => Promise.reject(new Error("later")), told)).toBe("Error: later");
  const all = allSoon([1, Promise.resolve(2), 3]);
  expect(all).toBeInstanceOf(Promise);
  expect(await all).toEqual([1, 2, 3]);
  const called = calledBack<number>((done) => void setImmediate(() => done(5)));
  expect(called).toBeInstanceOf(Promise);
  const never = new Promise((resolve) => setTimeout(resolve, 50));
  expect(await Promise.race([called, never])).toBe(5);
});

test("what begins to call back and throws is not waited for", () => {
  expect(() => calledBack(fail)).toThrow("on purpose");
});
