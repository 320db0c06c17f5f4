import { type Generation, nearest } from "@mailhost/core";
import type { Configuration } from "../config/configuration.ts";
import { UsageError } from "../exit.ts";
import { type PluginDescription, describePlugins, originOf } from "../manifest/describe.ts";
import { reasonBetween, requires, standsFor } from "../manifest/relation.ts";
import { paint } from "../report.ts";
import { prepared } from "./prepared.ts";

/** A plugin's place among the taps of one hook. */
interface HookPlace {
  readonly hook: string;
  readonly tap: string;
  /** From 1. */
  readonly place: number;
  readonly of: number;
  /** The taps before and behind it, each with the reason. */
  readonly behind: readonly Neighbour[];
  readonly ahead: readonly Neighbour[];
}

interface Neighbour {
  readonly plugin: string;
  readonly tap: string;
  readonly why: string;
}

/** Why one plugin stands where it stands on one listener, as `--json` prints it. */
interface Standing extends PluginDescription {
  readonly listener: string;
  readonly hooks: readonly HookPlace[];
  readonly requirements: readonly { readonly wanted: string; readonly range: string; readonly have: string }[];
  readonly requiredBy: readonly string[];
  readonly uses: readonly { readonly what: string; readonly by: readonly string[] }[];
}

/** `mailhost plugins why NAME`. Rejects with a UsageError when no such plugin is configured. */
export async function why(name: string, flags: { config?: string; json?: true }): Promise<void> {
  const { server, configuration } = await prepared(flags);
  const all = server.generations.map((generation) => ({
    generation,
    plugins: describePlugins(generation, configuration),
  }));
  const wanted = matching(
    name,
    all.flatMap(({ plugins }) => plugins),
  );
  const standings = all.flatMap(({ generation, plugins }) =>
    plugins
      .filter((plugin) => wanted.has(plugin.name))
      .map((plugin) => standingOf(plugin, plugins, generation, configuration)),
  );
  if (flags.json === true) console.log(JSON.stringify(standings, undefined, 2));
  else console.log(standings.map(print).join("\n\n"));
  await server.close();
}

/** The names of those that are meant: by the name they stand under, else by plugin, package or entry. */
function matching(asked: string, plugins: readonly PluginDescription[]): Set<string> {
  const exact = plugins.filter(({ name }) => name === asked);
  const found =
    exact.length > 0
      ? exact
      : plugins.filter(({ package: own, origin }) => [own, origin?.package?.name, origin?.name].includes(asked));
  if (found.length > 0) return new Set(found.map(({ name }) => name));
  const names = [...new Set(plugins.flatMap((one) => [one.name, one.package]))];
  const near = nearest(asked, names);
  throw new UsageError(
    `plugins why: no plugin ${asked} is configured. ${near === undefined ? `There are: ${[...new Set(plugins.map((one) => one.name))].join(", ")}.` : `Did you mean ${near}?`}`,
  );
}

function standingOf(
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

function print(standing: Standing): string {
  const { name, package: own, version, listener, configured, origin, core, hooks, uses, watches } = standing;
  const lines = [
    `${paint("bold", name)} (${own === name ? "" : `${own} `}${version}) on listener ${listener}`,
    `  brought by   ${configured}${own === name ? "" : `, where it is called ${name}`}`,
    `  resolved     ${origin === undefined ? "" : `${JSON.stringify(origin.name)} is `}${originOf(origin)}`,
    ...(origin?.tried ?? []).map((one) => `    tried before: ${one.package}, from ${one.from}: not there`),
    `  core         ${core}`,
  ];
  for (const { wanted, range, have } of standing.requirements)
    lines.push(`  requires     ${wanted}${range === "*" ? "" : ` ${range}`}: have ${have}`);
  lines.push(`  required by  ${standing.requiredBy.join(", ") || "no other plugin"}`);
  for (const { what, by } of uses) lines.push(`  provides     ${what}${by.length === 0 ? "" : `: ${by.join(", ")}`}`);
  if (hooks.length === 0 && !watches) lines.push("  in no hook");
  for (const place of hooks) lines.push(...printPlace(place, name));
  if (watches) lines.push("  trace        sees every dialogue; watchers have no order");
  return lines.join("\n");
}

function printPlace({ hook, tap, place, of, behind, ahead }: HookPlace, name: string): string[] {
  const other = (one: Neighbour): string => (one.tap === one.plugin ? one.plugin : `${one.plugin}: ${one.tap}`);
  return [
    `  ${hook}${tap === name ? "" : ` (${tap})`}: ${place} of ${of}`,
    ...behind.map((one) => `    behind ${other(one)}: ${one.why}`),
    ...ahead.map((one) => `    before ${other(one)}: ${one.why}`),
  ];
}
