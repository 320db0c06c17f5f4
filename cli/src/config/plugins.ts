import { type Plugin, type PluginFactory, type Problem, definePlugin, isPlugin, isPluginFactory } from "@mailhost/core";
import { type Trouble, readEntry } from "./entries.ts";
import { type Origin, locate } from "./locate.ts";
import { defaultExport, importFile, importProblem } from "./modules.ts";
import { describeError } from "./problem.ts";

/** Where plugins come from, by the path they are configured at. Those that the configuration's own code made are not in it. */
export type Origins = Map<string, Origin>;

/** Plugins in place of their entries, and what was wrong. A plugin that is not to be had leaves an empty one in its place. */
export async function makePlugins(
  entries: readonly unknown[],
  folder: string,
  where: string,
  problems: Problem[],
  origins: Origins,
): Promise<Plugin[]> {
  const plugins: Plugin[] = [];
  for (const [index, entry] of entries.entries()) {
    const at = `${where}[${index}]`;
    const made = await makePlugin(entry, folder, (origin) => origins.set(at, origin));
    if ("plugin" in made) plugins.push(made.plugin);
    else {
      problems.push({ where: at, ...made });
      plugins.push(placeholder(at));
    }
  }
  return plugins;
}

/** Holds the place, so that the others keep their numbers. */
const placeholder = (at: string): Plugin =>
  definePlugin({ name: `(missing) ${at}`, version: "0.0.0", core: "*", apply: () => {} })();

type Found = (origin: Origin) => void;

async function makePlugin(entry: unknown, folder: string, found: Found): Promise<{ plugin: Plugin } | Trouble> {
  if (isPlugin(entry)) return { plugin: entry };
  const named = readEntry(entry);
  if ("code" in named) return named;
  const { from, options, placement } = named;
  const factory = typeof from === "string" ? await loadFactory(from, folder, found) : from;
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

async function loadFactory(name: string, folder: string, found: Found): Promise<PluginFactory<unknown> | Trouble> {
  const origin = locate(name, folder);
  if ("code" in origin) return origin;
  found(origin);
  const { file } = origin;
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
