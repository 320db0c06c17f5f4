import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { contract } from "@mailhost/testkit";
import { afterAll, expect, test } from "vitest";
import { debugLog } from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "mailhost-debug-log-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Where a stream may be closed amid a write. */
const only = ["accepted message", "RSET storm", "disconnect", "reload under load"] as const;

test("keeps the contract, with everything written to files", async () => {
  const [text, ndjson] = [join(folder, "text"), join(folder, "ndjson")];
  const packageJson = new URL("../package.json", import.meta.url);
  const options = () => ({ text, ndjson, body: "headers" as const });
  expect(await contract(debugLog, { options, packageJson })).toMatchObject({ plugin: "debug-log", failed: 0 });
  expect(readFileSync(text, "utf8")).toContain("RCPT TO:<jane@example.com>");
});

type Done = (error?: Error) => void;

test.each<[string, (line: unknown, encoding: string, done: Done) => void]>([
  ["breaks", (_line, _encoding, done) => done(new Error("EPIPE"))],
  ["breaks a while later", (_line, _encoding, done) => void setTimeout(done, 5, new Error("EPIPE"))],
  ["is never read", () => {}],
])("keeps the contract with a stream that %s", async (_what, write) => {
  const options = () => ({ text: new Writable({ write }), ndjson: new Writable({ write }) });
  expect(await contract(debugLog, { options, only })).toMatchObject({ failed: 0 });
});
