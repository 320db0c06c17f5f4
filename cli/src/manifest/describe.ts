import { relative } from "node:path";
import type { Generation, PlannedPlugin, PlannedTap } from "@mailhost/core";
import { type Configuration, placeIn } from "../config/configuration.ts";
import type { Origin } from "../config/locate.ts";
import { placeOf } from "../report.ts";

/** All that is known of a plugin on one listener, as `mailhost plugins --json` prints it. */
export interface PluginDescription extends PlannedPlugin {
  /** The line of the configuration that brought it, or the path within where lines are not known. */
  readonly configured: string;
  /** Undefined when the configuration's own code made it. */
  readonly origin: Origin | undefined;
  readonly taps: readonly Pick<PlannedTap, "hook" | "tap" | "kind" | "stage" | "onFailure">[];
  /** What of it permits recipients, in words. */
  readonly permits: readonly string[];
  /** Transports it routes to, each with the option that says so. */
  readonly routes: readonly { readonly transport: string; readonly where: string }[];
}

/** Every plugin of a listener, in the order of the configuration. */
export function describePlugins(generation: Generation, configuration: Configuration): PluginDescription[] {
  const { plugins, taps, vocabulary } = generation;
  return plugins.map((plugin) => {
    const { name, where } = plugin;
    return {
      ...plugin,
      configured: configuredAt(where, configuration),
      origin: configuration.origins.get(where),
      taps: taps
        .filter((tap) => tap.plugin === name)
        .map(({ hook, tap, kind, stage, onFailure }) => ({ hook, tap, kind, stage, onFailure })),
      permits: vocabulary.permits
        .filter((permit) => permit.plugin === name)
        .map(({ kind, what }) => `${kind}: ${what}`),
      routes: vocabulary.routes
        .filter((route) => route.plugin === name)
        .map((route) => ({ transport: route.transport, where: route.where })),
    };
  });
}

export const configuredAt = (where: string, configuration: Configuration): string =>
  configuration.file === undefined
    ? `embedded defaults ${where}`
    : placeOf({ code: "BAD_PLUGIN", what: "", mend: "", where, ...placeIn(where, configuration) });

/** `@mailhost/plugin-mux 1.0.0 (node_modules/…/index.js)`. */
export function originOf(origin: Origin | undefined): string {
  if (origin === undefined) return "made by the configuration's own code";
  const near = relative(process.cwd(), origin.file);
  const file = near.startsWith("..") ? origin.file : `./${near}`;
  if (origin.package === undefined) return `the file ${file}`;
  const { name, version } = origin.package;
  const along = origin.seenBy === "command" ? ", which comes with mailhost" : "";
  return `package ${name}${version === undefined ? "" : ` ${version}`} (${file})${along}`;
}

/** Names with ranges, as a manifest says them: `addressable ^1.0.0, mux`. */
export const requiredBy = ({ requires }: PlannedPlugin): string =>
  Object.entries(requires)
    .map(([name, range]) => (range === "*" ? name : `${name} ${range}`))
    .join(", ");
