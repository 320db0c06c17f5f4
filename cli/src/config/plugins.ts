import { statSync } from "node:fs";
import { isBuiltin } from "node:module";
import { isAbsolute, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  type Placement,
  type Plugin,
  type PluginFactory,
  type Problem,
  definePlugin,
  isPlugin,
  isPluginFactory,
  nearest,
  errorCode,
} from "@mailhost/core";
import { moduleResolve } from "import-meta-resolve";
import { defaultExport, importFile, importProblem, runsFromSource } from "./modules.ts";
import { describeError } from "./problem.ts";

/** Plugins this command brings along. */
const brought = ["starttls", "auth-plain", "addressable", "mux", "maildir", "debug-log"];

const conditions = new Set(["node", "import", ...(runsFromSource ? ["@mailhost/source"] : [])]);

/** Plugins in place of their entries, and what was wrong. A plugin that is not to be had leaves an empty one in its place. */
export async function makePlugins(
  entries: readonly unknown[],
  folder: string,
  where: string,
  problems: Problem[],
): Promise<Plugin[]> {
  const plugins: Plugin[] = [];
  for (const [index, entry] of entries.entries()) {
    const at = `${where}[${index}]`;
    const made = await makePlugin(entry, folder);
    if ("plugin" in made) plugins.push(made.plugin);
    else {
      problems.push({ where: at, ...made });
      plugins.push(placeholder(at));
    }
  }
  return plugins;
}

type Trouble = Pick<Problem, "code" | "what" | "mend">;

/** Holds the place, so that the others keep their numbers. */
const placeholder = (at: string): Plugin =>
  definePlugin({ name: `(missing) ${at}`, version: "0.0.0", core: "*", apply: () => {} })();

async function makePlugin(entry: unknown, folder: string): Promise<{ plugin: Plugin } | Trouble> {
  if (isPlugin(entry)) return { plugin: entry };
  const named = readEntry(entry);
  if ("code" in named) return named;
  const { from, options, placement } = named;
  const factory = typeof from === "string" ? await loadFactory(from, folder) : from;
  if ("code" in factory) return factory;
  try {
    return { plugin: factory(options, placement) };
  } catch (error) {
    return {
      code: "BAD_PLUGIN",
      what: `the plugin could not be made: ${describeError(error)}`,
      mend: "See its README.",
    };
  }
}

interface NamedPlugin {
  readonly from: string | PluginFactory<unknown>;
  readonly options: object;
  readonly placement: Placement;
}

function readEntry(entry: unknown): NamedPlugin | Trouble {
  if (typeof entry === "string") return { from: entry, options: {}, placement: {} };
  if (isPluginFactory(entry)) return { from: entry, options: {}, placement: {} };
  if (Array.isArray(entry)) {
    const [name, options = {}, ...more]: unknown[] = entry;
    if (typeof name === "string" && typeof options === "object" && options !== null && more.length === 0)
      return { from: name, options, placement: {} };
    return shapeTrouble("a list that is not [name, options]");
  }
  if (typeof entry !== "object" || entry === null) return shapeTrouble(`${String(entry)}, which is no plugin`);
  return readObject(entry);
}

const objectKeys = ["plugin", "options", "as", "onFailure"];

function readObject(entry: object): NamedPlugin | Trouble {
  const unknown = Object.keys(entry).find((key) => !objectKeys.includes(key));
  if (unknown !== undefined) {
    const near = nearest(unknown, objectKeys);
    const mend =
      near === undefined
        ? `Here stand ${objectKeys.join(", ")}; what is the plugin's own stands in options.`
        : `Did you mean ${near}?`;
    return { code: "UNKNOWN_OPTION", what: `a plugin's entry has no ${unknown}`, mend };
  }
  // Read as unknown: what a file holds has no type
  const { plugin, options = {}, as, onFailure } = entry as Readonly<Record<string, unknown>>;
  if (typeof plugin !== "string" && !isPluginFactory(plugin))
    return shapeTrouble("an entry without the name of a plugin");
  if (typeof options !== "object" || options === null) return shapeTrouble("options that are no table");
  if (as !== undefined && (typeof as !== "string" || as === "")) return shapeTrouble("an `as` that is no name");
  if (!isOnFailure(onFailure)) return shapeTrouble("an onFailure that is neither defer nor ignore");
  const placement: Placement = {
    ...(as === undefined ? {} : { as }),
    ...(onFailure === undefined ? {} : { onFailure }),
  };
  return { from: plugin, options, placement };
}

const isOnFailure = (given: unknown): given is Placement["onFailure"] =>
  given === undefined ||
  given === "defer" ||
  given === "ignore" ||
  (typeof given === "object" &&
    given !== null &&
    Object.values(given).every((one) => one === "defer" || one === "ignore"));

const shapeTrouble = (what: string): Trouble => ({
  code: "BAD_PLUGIN",
  what: `here stands ${what}`,
  mend: 'Write "maildir", ["maildir", { … }] or { plugin: "maildir", as: "other", options: { … } }.',
});

async function loadFactory(name: string, folder: string): Promise<PluginFactory<unknown> | Trouble> {
  const file = locate(name, folder);
  if (typeof file !== "string") return file;
  let exported: unknown;
  try {
    exported = defaultExport(await importFile(file));
  } catch (error) {
    const { what, mend } = importProblem(error, file);
    return { code: "BAD_PLUGIN", what: `plugin ${name} (${file}): ${what}`, mend };
  }
  if (isPluginFactory(exported)) return exported;
  const plugin = isPlugin(exported);
  return {
    code: "BAD_PLUGIN",
    what: `${name} (${file}) is no plugin: its default export is ${plugin ? "a plugin already made" : "none made by definePlugin"}`,
    mend: "A plugin says: export default definePlugin({ … }).",
  };
}

/** The file of a plugin: first as the configuration's folder sees it, then among those this command brings along. */
function locate(name: string, folder: string): string | Trouble {
  if (name.startsWith(".") || isAbsolute(name)) return located(resolve(folder, name));
  const candidates = /^@|^mailhost-plugin-|\//.test(name)
    ? [name]
    : [`@mailhost/plugin-${name}`, `mailhost-plugin-${name}`, name];
  const bases = [pathToFileURL(join(folder, "mailhost.config.mjs")), new URL(import.meta.url)];
  for (const candidate of candidates) {
    if (isBuiltin(candidate)) continue;
    for (const base of bases) {
      try {
        return fileURLToPath(moduleResolve(candidate, base, conditions));
      } catch (error) {
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

function located(file: string): string | Trouble {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) return file;
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
