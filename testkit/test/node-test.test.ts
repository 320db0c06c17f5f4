import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("contracts need no vitest: node:test runs them", { timeout: 60_000 }, () => {
  const program = fileURLToPath(new URL("node-test-program.ts", import.meta.url));
  const args = ["-C", "@mailhost/source", "--import", "tsx", "--test", program];
  // Its own reporter: what is said to a parent test run is not for reading
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8", env });
  expect({ status, passed: /pass (\d+)/.exec(stdout)?.[1], stderr }).toEqual({ status: 0, passed: "2", stderr: "" });
});
