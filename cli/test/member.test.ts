import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "../../test/support/run.ts";

test.skipIf(process.platform !== "linux")("two workers that die at one moment are both heard of", async () => {
  const program = join(import.meta.dirname, "both-at-once.ts");
  const { code, stderr } = await run(process.execPath, ["-C", "@mailhost/source", "--import", "tsx", program]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
});
