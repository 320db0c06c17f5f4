import { expect, test } from "vitest";
import { SharedWork } from "../src/shared-work.ts";

/** Work that ends when it is told to, and what was begun. */
function slow() {
  const begun: { on: string; end: (result: string) => void; fail: (error: Error) => void }[] = [];
  const work = new SharedWork<string>(
    (on) => new Promise((resolve, reject) => begun.push({ on, end: resolve, fail: reject })),
  );
  return { begun, work };
}

test("who asks while work runs shares what begins behind it", async () => {
  const { begun, work } = slow();
  const first = work.run("one");
  const [second, third] = [work.run("one"), work.run("one")];
  expect(begun).toHaveLength(1);
  begun[0]?.end("early");
  expect(await first).toBe("early");
  begun[1]?.end("late");
  expect(await Promise.all([second, third])).toEqual(["late", "late"]);
  expect(begun).toHaveLength(2);
});

test("work that fails fails for those it was done for, and for nobody else", async () => {
  const { begun, work } = slow();
  const first = work.run("one");
  const second = work.run("one");
  begun[0]?.fail(new Error("the disk"));
  await expect(first).rejects.toThrow("the disk");
  begun[1]?.end("well");
  expect(await second).toBe("well");
  void work.run("one");
  expect(begun).toHaveLength(3);
});

test("each thing has its own work", () => {
  const { begun, work } = slow();
  void work.run("one");
  void work.run("other");
  expect(begun.map(({ on }) => on)).toEqual(["one", "other"]);
});
