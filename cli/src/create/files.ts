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
      const filled = text.replace(/__([a-z]+)__/g, (whole, word: string) => words[word] ?? whole);
      // npm packs no file of that name
      const target = path === "gitignore" ? ".gitignore" : path;
      if (language === "javascript") files.set(inJavaScript(target), withJavaScript(filled));
      else files.set(target, filled);
    }
  return files;
}

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();

// What has no types reads the same in both languages
const inJavaScript = (path: string): string => path.replace(/\.(m?)ts$/, ".$1js");
const withJavaScript = (text: string): string =>
  text.replaceAll("src/index.ts", "src/index.js").replaceAll("config.mts", "config.mjs");
