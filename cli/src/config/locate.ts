import { readFileSync, statSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { errorCode, nearest } from "@mailhost/core";
import { moduleResolve } from "import-meta-resolve";
import type { Trouble } from "./entries.ts";
import { runsFromSource } from "./modules.ts";
import { describeError } from "./problem.ts";

/** Where a plugin that was named comes from. */
export interface Origin {
  /** As the configuration names it. */
  readonly name: string;
  readonly file: string;
  /** The package it stands in, unless the configuration names a file. */
  readonly package: PackageInfo | undefined;
  /** Who sees it: the configuration from its folder, else this command, which brings it along. */
  readonly seenBy: Viewer;
  /** What was looked for before, and was not there. */
  readonly tried: readonly Attempt[];
}

/** What the package.json of a plugin says. */
export interface PackageInfo {
  readonly name: string;
  readonly version: string | undefined;
  /** Its range of @mailhost/core. */
  readonly corePeer: string | undefined;
}

type Viewer = "configuration" | "command";

/** A package that was looked for. */
export interface Attempt {
  readonly package: string;
  readonly seenBy: Viewer;
  /** Folder from which it was looked for. */
  readonly from: string;
}

/** Plugins this command brings along: their names are found first. */
export const brought: readonly string[] = [
  "starttls",
  "auth-plain",
  "auth-login",
  "addressable",
  "mux",
  "maildir",
  "webhook",
  "debug-log",
  "waterfall",
  "limits",
  "early-talker",
];

const conditions = new Set(["node", "import", ...(runsFromSource ? ["@mailhost/source"] : [])]);

/** The file of a plugin: first as the configuration's folder sees it, then among those this command brings along. */
export function locate(name: string, folder: string): Origin | Trouble {
  if (name.startsWith(".") || isAbsolute(name)) return located(name, resolve(folder, name));
  const candidates = /^@|^mailhost-plugin-|\//.test(name)
    ? [name]
    : [`@mailhost/plugin-${name}`, `mailhost-plugin-${name}`, name];
  const bases: readonly (readonly [Viewer, URL])[] = [
    ["configuration", pathToFileURL(join(folder, "mailhost.config.mjs"))],
    ["command", new URL(import.meta.url)],
  ];
  const tried: Attempt[] = [];
  for (const candidate of candidates) {
    if (isBuiltin(candidate)) continue;
    for (const [seenBy, base] of bases) {
      try {
        const file = fileURLToPath(moduleResolve(candidate, base, conditions));
        return { name, file, package: packageOf(candidate, file), seenBy, tried };
      } catch (error) {
        tried.push({ package: candidate, seenBy, from: dirname(fileURLToPath(base)) });
        if (errorCode(error) === "ERR_MODULE_NOT_FOUND" || errorCode(error) === "ERR_INVALID_MODULE_SPECIFIER")
          continue;
        return {
          code: "BAD_PLUGIN",
          what: `plugin ${name} cannot be loaded: ${describeError(error)}`,
          mend: `Run: npm install ${candidate}@latest`,
        };
      }
    }
  }
  return unknownPlugin(name, candidates, folder);
}

function located(name: string, file: string): Origin | Trouble {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === true)
    return { name, file, package: undefined, seenBy: "configuration", tried: [] };
  return {
    code: "UNKNOWN_PLUGIN",
    what: `there is no plugin file ${file}`,
    mend: "Write its path from the folder of the configuration, with its ending: ./greeting.ts",
  };
}

function unknownPlugin(name: string, candidates: readonly string[], folder: string): Trouble {
  const near = nearest(name, brought);
  const install = candidates.length === 1 ? name : `mailhost-plugin-${name}`;
  return {
    code: "UNKNOWN_PLUGIN",
    what: `there is no plugin ${name}: ${folder} has no package ${candidates.join(", ")}`,
    mend: `${near === undefined ? "" : `Did you mean ${near}? Else run`}${near === undefined ? "Run" : ""}: npm install ${install}`,
  };
}

/** The nearest package.json above `file` that has a name: a build may put one with a `type` alone beside its files. */
function packageOf(candidate: string, file: string): PackageInfo {
  for (let folder = dirname(file); dirname(folder) !== folder; folder = dirname(folder)) {
    const { name, version, peerDependencies } = readManifest(join(folder, "package.json"));
    if (typeof name !== "string") continue;
    const peers = typeof peerDependencies === "object" && peerDependencies !== null ? peerDependencies : {};
    const peer: unknown = "@mailhost/core" in peers ? peers["@mailhost/core"] : undefined;
    return {
      name,
      version: typeof version === "string" ? version : undefined,
      corePeer: typeof peer === "string" ? peer : undefined,
    };
  }
  return { name: candidate, version: undefined, corePeer: undefined };
}

function readManifest(file: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, "utf8"));
    // Keys of a JSON object are names
    return typeof parsed === "object" && parsed !== null ? (parsed as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}
