import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { emptyFolder, npm, packAll, whileServing } from "./support/pack.ts";
import { run } from "./support/run.ts";

// The way of somebody who writes a plugin, from nothing to an operator's server: within five minutes.
const fiveMinutes = 300_000;

const config = {
  name: "mx.example.com",
  listeners: [{ name: "in", host: "127.0.0.1", port: 0 }],
  default: { local: "maildir" },
  plugins: [
    ["addressable", { domains: ["example.com"] }],
    ["maildir", { root: "./mail" }],
    ["newcomer", { domains: ["spam.example"] }],
  ],
};

describe.each([
  ["TypeScript", []],
  ["JavaScript", ["--js"]],
])("a plugin in %s", (_language, flags) => {
  test("created, tested, packed, installed and at work in mailhost start", { timeout: fiveMinutes }, async () => {
    const tarballs = await packAll();
    const operator = emptyFolder("operator");
    await npm(operator, "install", ...tarballs);
    const mailhost = join(operator, "node_modules/.bin/mailhost");

    const author = emptyFolder("author");
    const created = await run(mailhost, ["plugin", "create", "newcomer", ...flags], "", {}, 60, author);
    expect(created).toMatchObject({ code: 0, stderr: "" });
    const folder = join(author, "mailhost-plugin-newcomer");
    expect(created.stdout).toContain("  cd mailhost-plugin-newcomer\n  npm install\n  npm test\n");

    // The registry has no version of ours that is not released yet: the tarballs stand in for it
    await npm(folder, "install", "--no-save", ...tarballs);
    const tested = await npm(folder, "test");
    expect(tested.stdout).toMatch(/Tests .*2 passed/);
    await npm(folder, "pack");
    const [tarball = ""] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
    expect(tarball).toBe("mailhost-plugin-newcomer-0.1.0.tgz");

    await npm(operator, "install", join(folder, tarball));
    writeFileSync(join(operator, "mailhost.config.json"), JSON.stringify(config));
    const checked = await run(mailhost, ["check"], "", {}, 60, operator);
    expect(checked).toMatchObject({ code: 0, stderr: "" });
    expect(checked.stdout).not.toContain("newcomer says");
    const why = await run(mailhost, ["plugins", "why", "newcomer"], "", {}, 60, operator);
    expect(why.stdout).toContain('"newcomer" is package mailhost-plugin-newcomer 0.1.0');

    await whileServing(operator, async (port) => {
      const send = (from: string) =>
        run(mailhost, ["send", "--port", String(port), "--from", from, "--to", "jane@example.com"]);
      const refused = await send("joe@spam.example");
      expect(refused.stdout).toContain("550 5.7.1 Mail from there is not taken here");
      expect(refused.code).toBe(1);
      const taken = await send("joe@example.net");
      expect(taken.code, taken.stdout + taken.stderr).toBe(0);
    });
    const box = join(operator, "mail/example.com/jane/new");
    const letters = readdirSync(box);
    expect(letters).toHaveLength(1);
    expect(readFileSync(join(box, letters[0] ?? ""), "utf8")).toContain("Return-Path: <joe@example.net>");
  });
});
