import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contract } from "@mailhost/testkit";
import { afterAll, expect, test } from "vitest";
import { debugLog } from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "mailhost-debug-log-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("keeps the contract, with everything written to files", async () => {
  const [text, ndjson] = [join(folder, "text"), join(folder, "ndjson")];
  const packageJson = new URL("../package.json", import.meta.url);
  const options = () => ({ text, ndjson, body: "headers" as const });
  expect(await contract(debugLog, { options, packageJson })).toMatchObject({ plugin: "debug-log", failed: 0 });
  expect(readFileSync(text, "utf8")).toContain("RCPT TO:<jane@example.com>");
});
