import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { coreVersion } from "@mailhost/core";
import type { PluginNames } from "./name.ts";

const templates = fileURLToPath(new URL("../../templates/plugin", import.meta.url));

export interface NewPlugin {
  readonly names: PluginNames;
  readonly language: "typescript" | "javascript";
  /** Version of this command. */
  readonly mailhost: string;
  readonly year: number;
}

/** The files of a new plugin: paths within its folder, with their texts. */
export function filesOf({ names, language, mailhost, year }: NewPlugin): Map<string, string> {
  const words: Readonly<Record<string, string>> = {
    package: names.package,
    name: names.plugin,
    configured: names.configured,
    core: `^${coreVersion}`,
    mailhost: `^${mailhost}`,
    year: String(year),
  };
  const files = new Map<string, string>();
  for (const from of ["common", language])
    for (const path of filesIn(join(templates, from))) {
      const text = readFileSync(join(templates, from, path), "utf8");
      const filled = asNpmWrites(path, text).replace(/__([a-z]+)__/g, (whole, word: string) => words[word] ?? whole);
      const target = renamed.get(path) ?? path;
      if (language === "javascript") files.set(inJavaScript(target), withJavaScript(filled));
      else files.set(target, filled);
    }
  return files;
}

/** npm packs no .gitignore, and a package within a package is taken for more than a template. */
const renamed: ReadonlyMap<string, string> = new Map([
  ["gitignore", ".gitignore"],
  ["manifest.json", "package.json"],
]);

/** As npm itself writes a package.json again with each `npm install --save`. */
const asNpmWrites = (path: string, text: string): string =>
  path === "manifest.json" ? `${JSON.stringify(JSON.parse(text), undefined, 2)}\n` : text;

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();

// What has no types reads the same in both languages
const inJavaScript = (path: string): string => path.replace(/\.(m?)ts$/, ".$1js");
const withJavaScript = (text: string): string =>
  text.replaceAll("src/index.ts", "src/index.js").replaceAll("config.mts", "config.mjs");
