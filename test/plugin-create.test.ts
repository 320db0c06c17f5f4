import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { bin, emptyFolder, npm, packAll, root, whileServing } from "./support/pack.ts";
import { type Ran, run } from "./support/run.ts";

// The way of somebody who writes a plugin, from the command to an operator's server: within five minutes.
const fiveMinutes = 300_000;

let tarballs: readonly string[];
/** Where an operator has installed mailhost, and nothing else. */
let operator: string;
let command: string;

beforeAll(async () => {
  tarballs = await packAll();
  operator = emptyFolder("operator");
  writeFileSync(join(operator, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await npm(operator, "install", ...tarballs);
  command = join(operator, "node_modules/.bin/mailhost");
}, 120_000);

const mailhost = (cwd: string, ...args: readonly string[]): Promise<Ran> => run(command, args, "", {}, 60, cwd);

async function wellPacked(tarball: string): Promise<void> {
  const linted = await run(join(bin, "publint"), ["run", "--strict", tarball]);
  expect(linted.code, linted.stdout).toBe(0);
  const typed = await run(join(bin, "attw"), [tarball, "--profile", "esm-only", "--format", "ascii"]);
  expect(typed.code, typed.stdout).toBe(0);
}

/** Whoever composes a server in a program is told by the compiler what the plugin takes. */
async function typedForPrograms(name: string): Promise<void> {
  const program = join(operator, `${name}.ts`);
  const lines = [
    `import plugin from "mailhost-plugin-${name}";`,
    'export const one = plugin({ domains: ["spam.example"] });',
    "// @ts-expect-error domains are a list of texts",
    "plugin({ domains: [7] });",
    "// @ts-expect-error there is no such option",
    "plugin({ domains: [], domain: [] });",
  ];
  writeFileSync(program, `${lines.join("\n")}\n`);
  const strict = ["--ignoreConfig", "--strict", "--noEmit", "--module", "nodenext", "--target", "es2023"];
  const types = ["--types", "node", "--typeRoots", join(root, "node_modules/@types")];
  expect((await run(join(bin, "tsc"), [...strict, ...types, program])).stdout).toBe("");
}

describe.each([
  ["TypeScript", "newcomer", []],
  ["JavaScript", "latecomer", ["--js"]],
])("a plugin in %s", (_language, name, flags) => {
  const folder = `mailhost-plugin-${name}`;
  const config = {
    name: "mx.example.com",
    listeners: [{ name: "in", host: "127.0.0.1", port: 0 }],
    default: { local: "maildir" },
    plugins: [
      ["addressable", { domains: ["example.com"] }],
      ["maildir", { root: `./mail-${name}` }],
      [name, { domains: ["spam.example"] }],
    ],
  };

  test("created, tested, packed, installed and at work in mailhost start", { timeout: fiveMinutes }, async () => {
    const author = emptyFolder("author");
    const created = await mailhost(author, "plugin", "create", name, ...flags);
    expect(created).toMatchObject({ code: 0, stderr: "" });
    expect(created.stdout).toContain(`  cd ${folder}\n  npm install\n  npm test\n`);

    // The registry has no version of ours that is not released yet: the tarballs stand in for it
    const home = join(author, folder);
    await npm(home, "install", "--no-save", ...tarballs);
    expect((await npm(home, "test")).stdout).toMatch(/Tests .*2 passed/);
    const started = await run(join(home, "node_modules/.bin/mailhost"), ["check"], "", {}, 60, home);
    expect(started).toMatchObject({ code: 0, stderr: "" });
    await npm(home, "pack");
    const tarball = join(home, `${folder}-0.1.0.tgz`);
    await wellPacked(tarball);

    await npm(operator, "install", tarball);
    await typedForPrograms(name);
    writeFileSync(join(operator, "mailhost.config.json"), JSON.stringify(config));
    const checked = await mailhost(operator, "check");
    expect(checked).toMatchObject({ code: 0, stderr: "" });
    expect(checked.stdout).not.toContain("warning");
    const why = await mailhost(operator, "plugins", "why", name);
    expect(why.stdout).toContain(`"${name}" is package ${folder} 0.1.0`);

    await whileServing(operator, async (port) => {
      const send = (from: string): Promise<Ran> =>
        mailhost(operator, "send", "--port", String(port), "--from", from, "--to", "jane@example.com");
      const refused = await send("joe@spam.example");
      expect(refused.stdout).toContain("550 5.7.1 Mail from there is not taken here");
      expect(refused.code).toBe(1);
      const taken = await send("joe@example.net");
      expect(taken.code, taken.stdout + taken.stderr).toBe(0);
    });
    const box = join(operator, `mail-${name}/example.com/jane/new`);
    const letters = readdirSync(box);
    expect(letters).toHaveLength(1);
    expect(readFileSync(join(box, letters[0] ?? ""), "utf8")).toContain("Return-Path: <joe@example.net>");
  });
});
