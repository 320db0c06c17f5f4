import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contract, transportContract } from "@mailhost/testkit";
import { afterAll, expect, test } from "vitest";
import { maildir } from "../src/index.ts";
import { everybody } from "./everybody.ts";

const folder = mkdtempSync(join(tmpdir(), "mailhost-maildir-contract-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const packageJson = new URL("../package.json", import.meta.url);

test("keeps the contract", async () => {
  const options = () => ({ root: mkdtempSync(join(folder, "root-")), fsync: false });
  expect(await contract(maildir, { options, companions: () => [everybody()], packageJson })).toMatchObject({
    failed: 0,
  });
});

test("keeps the contract with quotas", () =>
  contract(maildir, {
    options: () => ({
      root: mkdtempSync(join(folder, "root-")),
      fsync: false,
      quota: { octets: 100 * 1024 * 1024, messages: 10_000 },
    }),
    companions: () => [everybody()],
  }));

test("keeps the contract with a journal, whose files follow the answer", { timeout: 60_000 }, () =>
  contract(maildir, {
    options: () => ({ root: mkdtempSync(join(folder, "root-")), fsync: false, journal: true }),
    companions: () => [everybody()],
  }),
);

/** Messages a reader of Maildirs finds, in every mailbox and folder. */
const visible = (root: string): string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /[/\\](new|cur)$/.test(entry.parentPath))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));

test("keeps the contract of transports, also when it is killed", { timeout: 60_000 }, async () => {
  const report = await transportContract(maildir, {
    options: (root) => ({ root }),
    companions: () => [everybody()],
    recipients: ["jane@example.com", "joe+list@example.com"],
    visible,
    crash: {
      program: new URL("crash-program.ts", import.meta.url),
      execArgv: ["-C", "@mailhost/source", "--import", "tsx"],
    },
  });
  expect(report).toMatchObject({ passed: 10, failed: 0 });
});
