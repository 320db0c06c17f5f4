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
  const closers = [note("first"), hangs, note("second"), fails, note("third")];
  await runClosers(
    closers.map((close, index) => ({ plugin: `own${index}`, close })),
    log,
    10,
  );
  expect(order).toEqual(["third", "second", "first"]);
  expect(errors).toEqual([
    "plugin own3 failed to close: broken on purpose",
    "plugin own1 failed to close: it did not end within 10 ms",
  ]);
});
