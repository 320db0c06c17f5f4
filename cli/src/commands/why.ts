import { nearest } from "@mailhost/core";
import type { Attempt } from "../config/locate.ts";
import { UsageError } from "../exit.ts";
import { type PluginDescription, describePlugins, originOf } from "../manifest/describe.ts";
import { type HookPlace, type Neighbour, type Standing, standingOf } from "../manifest/standing.ts";
import { paint } from "../report.ts";
import { prepared } from "./prepared.ts";

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

function print(standing: Standing): string {
  const { name, package: own, version, listener, configured, origin, core, hooks, uses, watches } = standing;
  const lines = [
    `${paint("bold", name)} (${own === name ? "" : `${own} `}${version}) on listener ${listener}`,
    `  brought by   ${configured}${own === name ? "" : `, where it is called ${name}`}`,
    `  resolved     ${origin === undefined ? "" : `${JSON.stringify(origin.name)} is `}${originOf(origin)}`,
    ...(origin?.tried ?? []).map(printAttempt),
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

const printAttempt = ({ package: name, seenBy, from }: Attempt): string =>
  `    not there: ${name}, ${seenBy === "command" ? "among those that come with mailhost" : `seen from ${from}`}`;

function printPlace({ hook, tap, place, of, behind, ahead }: HookPlace, name: string): string[] {
  const other = (one: Neighbour): string => (one.tap === one.plugin ? one.plugin : `${one.plugin}: ${one.tap}`);
  return [
    `  ${hook}${tap === name ? "" : ` (${tap})`}: ${place} of ${of}`,
    ...behind.map((one) => `    behind ${other(one)}: ${one.why}`),
    ...ahead.map((one) => `    before ${other(one)}: ${one.why}`),
  ];
}
