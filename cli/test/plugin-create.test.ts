import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { coreVersion } from "@mailhost/core";
import semver from "semver";
import { describe, expect, test } from "vitest";
import { namesOf } from "../src/create/name.ts";
import { folder, run, write } from "./support.ts";

// From the command to a tarball at work in a server: test/plugin-create.test.ts of the repository.

const root = join(import.meta.dirname, "../..");
const read = (...path: string[]): string => readFileSync(join(...path), "utf8");

describe("names", () => {
  test.each([
    ["greylist", "mailhost-plugin-greylist", "greylist", "greylist"],
    ["mailhost-plugin-greylist", "mailhost-plugin-greylist", "greylist", "greylist"],
    ["@acme/greylist", "@acme/mailhost-plugin-greylist", "greylist", "@acme/mailhost-plugin-greylist"],
    ["@acme/mailhost-plugin-mux", "@acme/mailhost-plugin-mux", "mux", "@acme/mailhost-plugin-mux"],
    ["2fa", "mailhost-plugin-2fa", "2fa", "2fa"],
  ])("%s is %s", (given, package_, plugin, configured) => {
    expect(namesOf(given)).toEqual({
      package: package_,
      plugin,
      configured,
      folder: `mailhost-plugin-${plugin}`,
    });
  });

  test.each([
    ["My Plugin", "Did you mean my-plugin?"],
    ["noReply", "Did you mean no-reply?"],
    ["Grünlist", "Did you mean grunlist?"],
    ["", "is no name"],
    [".hidden", "Did you mean hidden?"],
    ["../elsewhere", "Did you mean elsewhere?"],
    ["a/b", "Did you mean a-b?"],
    ["@acme/", "is no name"],
    ["@/x", "is no name"],
    ["@Acme/x", "is no name"],
    ["mailhost-plugin-", "is no name"],
    ["x\nrm", "is no name"],
    ["x".repeat(200), "at most 214"],
    ["maildir", "gets mailhost's own plugin of that name"],
    ["mailhost-plugin-starttls", "@yours/starttls"],
  ])("%j is none", (given, problem) => {
    expect(namesOf(given)).toContain(problem);
  });

  test("a bad one is wrong use: exit code 2, and nothing is written", async () => {
    const cwd = folder();
    const { code, err } = await run(["plugin", "create", "My Plugin"], { cwd });
    expect(err).toContain("Did you mean my-plugin?");
    expect(code).toBe(2);
    expect(readdirSync(cwd)).toEqual([]);
  });
});

describe.each([
  ["TypeScript", "index.ts", []],
  ["JavaScript", "index.js", ["--js"]],
])("a plugin in %s", (_language, index, flags) => {
  const tool = (cwd: string, name: string, ...args: string[]): { status: number | null; said: string } => {
    const env = { ...process.env, VITEST: undefined, NODE_OPTIONS: "" };
    const { status, stdout, stderr } = spawnSync(join(root, "node_modules/.bin", name), args, {
      cwd,
      env,
      encoding: "utf8",
    });
    return { status, said: `${stdout}${stderr}` };
  };

  test("comes out complete, formatted, typed and without a word left to fill in", { timeout: 60_000 }, async () => {
    const cwd = folder();
    const { code, out } = await run(["plugin", "create", "@acme/sender-list", ...flags], { cwd });
    expect(code).toBe(0);
    expect(out).toContain("\n  cd mailhost-plugin-sender-list\n  npm install\n  npm test\n");
    const made = join(cwd, "mailhost-plugin-sender-list");
    const files = readdirSync(made, { recursive: true, encoding: "utf8" }).filter((name) => /\.|LICENSE/.test(name));
    const ends = index.slice(-2);
    expect(files.toSorted()).toEqual(
      [
        ".gitignore",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        `mailhost.config.m${ends}`,
        "package.json",
        `src/${index}`,
        `test/contract.test.${ends}`,
        `test/dialogue.test.${ends}`,
        "tsconfig.build.json",
        "tsconfig.json",
      ].toSorted(),
    );
    for (const file of files) expect(read(made, file), file).not.toMatch(/__\w+__/);
    expect(read(made, "src", index)).toContain('name: "sender-list"');
    expect(read(made, "README.md")).toMatch(/^# `@acme\/mailhost-plugin-sender-list`\n/);
    expect(read(made, "README.md")).toContain('["@acme/mailhost-plugin-sender-list", { "domains"');
    expect(read(made, "LICENSE")).toContain(`(c) ${new Date().getFullYear()} the authors of @acme/`);
    for (const file of readdirSync(join(made, "test")))
      expect(read(made, "test", file)).toContain(`from "../src/${index}"`);

    // By name: git ignores the folder, and a folder that git ignores is passed over
    const texts = files.filter((name) => /\.(?:json|md|m?[jt]s)$/.test(name));
    const formatted = tool(made, "oxfmt", "--check", ...texts);
    expect(formatted, formatted.said).toMatchObject({ status: 0 });
    const typed = tool(made, "tsc", "--customConditions", "@mailhost/source", "--allowImportingTsExtensions");
    expect(typed, typed.said).toMatchObject({ status: 0 });
    const checked = await run(["check"], { cwd: made });
    expect(checked.out).toMatch(/listener 2525 \(transfer\): sender-list 0\.1\.0, mux/);
    expect(checked.code).toBe(0);
  });

  test("nothing is overwritten", async () => {
    const cwd = folder({ "mailhost-plugin-sender-list/notes.txt": "mine" });
    const { code, err } = await run(["plugin", "create", "sender-list", ...flags], { cwd });
    expect(err).toContain("mailhost-plugin-sender-list is there already");
    expect(code).toBe(1);
    expect(readdirSync(join(cwd, "mailhost-plugin-sender-list"))).toEqual(["notes.txt"]);
    write(cwd, { "mailhost-plugin-other": "a file" });
    expect((await run(["plugin", "create", "other", ...flags], { cwd })).code).toBe(1);
    expect(existsSync(join(cwd, "mailhost-plugin-other/src"))).toBe(false);
  });
});

test.each(["typescript", "javascript"])("what it depends on is what is tested here: %s", (language) => {
  const manifest = JSON.parse(
    read(root, "cli/templates/plugin", language, "manifest.json").replaceAll(/__(core|mailhost)__/g, `^${coreVersion}`),
  );
  const ours = JSON.parse(read(root, "package.json"));
  const versions: Record<string, string> = {
    ...ours.devDependencies,
    "@mailhost/core": coreVersion,
    "@mailhost/testkit": JSON.parse(read(root, "testkit/package.json")).version,
    mailhost: JSON.parse(read(root, "cli/package.json")).version,
  };
  for (const [name, range] of Object.entries<string>({ ...manifest.dependencies, ...manifest.devDependencies }))
    expect(semver.satisfies(versions[name] ?? "", range, { includePrerelease: true }), `${name} ${range}`).toBe(true);
  expect(manifest.engines).toEqual(ours.engines);
});
