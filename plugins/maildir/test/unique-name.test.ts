import { expect, test } from "vitest";
import { isOrphan, uniqueName } from "../src/unique-name.ts";

test("a name this process gave is nobody's orphan, though the clock stepped back", async () => {
  expect(await isOrphan(uniqueName(Date.now()))).toBe(false);
  expect(await isOrphan(uniqueName(0))).toBe(false);
});

test("a name an earlier process of the same number gave is an orphan", async () => {
  expect(await isOrphan(uniqueName(0).replace(/R[0-9a-f]{16}/, "R0123456789abcdef"))).toBe(true);
});

test("no name comes twice, at one moment", () => {
  expect(new Set(Array.from({ length: 1000 }, () => uniqueName(5))).size).toBe(1000);
});
