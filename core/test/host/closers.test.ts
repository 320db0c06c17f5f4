import { expect, test } from "vitest";
import { runClosers } from "../../src/host/generation.ts";

test("what a plugin opened is closed in reverse order, whatever one of them does", async () => {
  const order: string[] = [];
  const errors: string[] = [];
  const log = {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (_: object, text: string) => void errors.push(text),
  };
  const note = (name: string) => (): void => void order.push(name);
  const fails = (): never => {
    throw new Error("broken on purpose");
  };
  const hangs = (): Promise<void> => new Promise(() => {});
  await runClosers([note("first"), hangs, note("second"), fails, note("third")], log, 10);
  expect(order).toEqual(["third", "second", "first"]);
  expect(errors).toEqual(["closing a plugin failed", "closing a plugin failed"]);
});
