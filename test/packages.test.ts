import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { coreVersion, isPluginFactory } from "@mailhost/core";
import semver from "semver";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly engines: { readonly node: string };
  readonly files: readonly string[];
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const read = (folder: string): Manifest => JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));

const plugins = readdirSync(join(root, "plugins"));
const folders = ["core", "testkit", "cli", ...plugins.map((name) => `plugins/${name}`)];

test("core says the version of its package", () => {
  expect(coreVersion).toBe(read("core").version);
});

test("core depends on tapable and semver, and on nothing else", () => {
  expect(Object.keys(read("core").dependencies ?? {}).toSorted()).toEqual(["semver", "tapable"]);
});

describe.each(folders)("%s", (folder) => {
  const manifest = read(folder);

  test("has what every package has", () => {
    expect(manifest.license).toBe("MIT");
    expect(manifest.engines.node).toBe("^20.19 || >=22.12");
    for (const file of ["README.md", "CHANGELOG.md", "LICENSE"])
      expect(readFileSync(join(root, folder, file), "utf8").length).toBeGreaterThan(100);
  });

  test("has a change log that begins with its version", () => {
    const log = readFileSync(join(root, folder, "CHANGELOG.md"), "utf8");
    expect(/^## (\S+)/m.exec(log)?.[1]).toBe(manifest.version);
  });
});

describe.each(plugins)("plugin %s", (name) => {
  const manifest = read(`plugins/${name}`);

  test("says its own version, and takes the core that is here", async () => {
    const { default: factory }: { default: unknown } = await import(join(root, "plugins", name, "src/index.ts"));
    if (!isPluginFactory(factory)) throw new Error("its default export is no plugin factory");
    const { definition } = factory;
    expect(definition.name).toBe(name);
    expect(definition.version).toBe(manifest.version);
    expect(definition.core).toBe(manifest.peerDependencies?.["@mailhost/core"]);
    expect(semver.satisfies(coreVersion, definition.core)).toBe(true);
  });
});
