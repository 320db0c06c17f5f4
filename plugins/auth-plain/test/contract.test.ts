import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contract, type Client } from "@mailhost/testkit";
import { afterAll, expect, test } from "vitest";
import { authPlain, hashPassword } from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "mailhost-auth-plain-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const credentials = Buffer.from("\0jane\0secret").toString("base64");
const listener = { mode: "submission" } as const;
const greet = async (speaker: Client): Promise<void> => {
  await speaker.ask("EHLO client.test");
  await speaker.ask(`AUTH PLAIN ${credentials}`);
};

test("keeps the contract with a function", async () => {
  const report = await contract(authPlain, {
    options: () => ({
      verify: async (username: string, password: string) => {
        await new Promise((resolve) => setImmediate(resolve));
        return username === "jane" && password === "secret";
      },
      allowInsecure: true,
    }),
    greet,
    listener,
    packageJson: new URL("../package.json", import.meta.url),
  });
  expect(report).toMatchObject({ plugin: "auth-plain", failed: 0 });
});

test("keeps the contract with a password file", async () => {
  const users = join(folder, "users");
  // A cheap hash, since there are hundreds of sessions
  writeFileSync(users, `jane:${await hashPassword("secret", { ln: 4, r: 1, p: 1 })}\n`, { mode: 0o600 });
  await contract(authPlain, {
    options: () => ({ users, allowInsecure: true }),
    greet,
    listener,
  });
});
