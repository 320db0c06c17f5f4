import { expect, test } from "vitest";
import { Roll } from "../../src/host/roll.ts";

test("whoever leaves is gone and all others stay, whatever the order", () => {
  const roll = new Roll<{ place: number; name: string }>();
  const [one, two, three] = ["one", "two", "three"].map((name) => ({ place: -1, name }));
  if (one === undefined || two === undefined || three === undefined) throw new Error("three of them");
  const names = (): string[] => [...roll].map(({ name }) => name).toSorted();
  for (const each of [one, two, three]) roll.add(each);
  roll.delete(one);
  expect(names()).toEqual(["three", "two"]);
  roll.delete(three);
  roll.delete(three);
  expect(names()).toEqual(["two"]);
  roll.add(one);
  expect(roll.size).toBe(2);
  for (const each of roll) roll.delete(each);
  expect(roll.size).toBe(0);
});
