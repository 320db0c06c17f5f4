import type { Generation } from "@mailhost/core";
import type { Configuration } from "../config/configuration.ts";
import type { PluginDescription } from "./describe.ts";
import { reasonBetween, requires, standsFor } from "./relation.ts";

/** A plugin's place among the taps of one hook. */
export interface HookPlace {
  readonly hook: string;
  readonly tap: string;
  /** From 1. */
  readonly place: number;
  readonly of: number;
  /** The taps before and behind it, each with the reason. */
  readonly behind: readonly Neighbour[];
  readonly ahead: readonly Neighbour[];
}

export interface Neighbour {
  readonly plugin: string;
  readonly tap: string;
  readonly why: string;
}

/** Why one plugin stands where it stands on one listener, as `--json` prints it. */
export interface Standing extends PluginDescription {
  readonly listener: string;
  readonly hooks: readonly HookPlace[];
  readonly requirements: readonly { readonly wanted: string; readonly range: string; readonly have: string }[];
  readonly requiredBy: readonly string[];
  readonly uses: readonly { readonly what: string; readonly by: readonly string[] }[];
}

/** What `plugin` has to do with the others on its listener. */
export function standingOf(
  plugin: PluginDescription,
  plugins: readonly PluginDescription[],
  generation: Generation,
  configuration: Configuration,
): Standing {
  const { name } = plugin;
  return {
    listener: generation.listener.name,
    ...plugin,
    hooks: placesOf(name, generation),
    requirements: Object.entries(plugin.requires).map(([wanted, range]) => {
      const has = plugins.find((one) => one.name === standsFor(plugins, wanted));
      return { wanted, range, have: has === undefined ? "nothing" : `${has.name} ${has.version}` };
    }),
    requiredBy: plugins.filter((other) => requires(plugins, other.name, name)).map((other) => other.name),
    uses: usesOf(plugin, plugins, generation, configuration),
  };
}

function placesOf(name: string, { taps, plugins }: Generation): HookPlace[] {
  return [...new Set(taps.map(({ hook }) => hook))].flatMap((hook) => {
    const lineup = { taps: taps.filter((tap) => tap.hook === hook), plugins };
    return lineup.taps.flatMap((own, at) => {
      if (own.plugin !== name) return [];
      const neighbour = (index: number): Neighbour => {
        const { plugin = "", tap = "" } = lineup.taps[index] ?? {};
        return { plugin, tap, why: reasonBetween(lineup, Math.min(at, index), Math.max(at, index)) };
      };
      const others = lineup.taps.map((_, index) => index).filter((index) => index !== at);
      return {
        hook,
        tap: own.tap,
        place: at + 1,
        of: lineup.taps.length,
        behind: others.filter((index) => index < at).map(neighbour),
        ahead: others.filter((index) => index > at).map(neighbour),
      };
    });
  });
}

/** What a plugin provides, and which others count on it. What clients use (keywords, verbs, mechanisms) has no others. */
function usesOf(
  { name, provides }: PluginDescription,
  plugins: readonly PluginDescription[],
  { vocabulary, defaults, taps, listener }: Generation,
  { file }: Configuration,
): Standing["uses"] {
  return provides.map((what) => {
    const transport = / transport (.+)$/.exec(what)?.[1];
    if (transport === undefined) return { what, by: [] };
    const kind = vocabulary.transports.get(transport)?.kind;
    const routes = plugins.flatMap((one) =>
      one.routes.filter((route) => route.transport === transport).map(({ where }) => `${one.name} (${where})`),
    );
    const judges = taps
      .filter(({ hook, plugin }) => hook === `queue ${transport}` && plugin !== name)
      .map(({ plugin }) => `${plugin} (judges in queue ${transport})`);
    const isDefault = kind !== undefined && defaults[kind] === transport;
    const said = `default.${kind ?? ""} of ${file === undefined ? "the embedded defaults" : `listener ${listener.name}`}`;
    return { what, by: [...routes, ...judges, ...(isDefault ? [said] : [])] };
  });
}
