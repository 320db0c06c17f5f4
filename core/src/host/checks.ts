import semver from "semver";
import type { Blueprint } from "./build.ts";
import { type NotedTap, requiredNames } from "./facade.ts";
import type { Plugin } from "./plugin.ts";
import { type Problem, nearest } from "./problems.ts";
import { coreVersion } from "./version.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** What the manifests alone tell: names, versions, requirements. */
export function checkManifests({ plugins }: Blueprint): Problem[] {
  const problems: Problem[] = [];
  const present = new Map<string, Plugin>();
  for (const { plugin, where } of plugins) {
    const { name, definition } = plugin;
    if (present.has(name))
      problems.push({
        code: "DUPLICATE_NAME",
        where,
        what: `plugin ${name} stands twice on this listener`,
        mend: "Give one of them another name with `as`.",
      });
    present.set(name, plugin);
    if (!semver.satisfies(coreVersion, definition.core, { includePrerelease: true }))
      problems.push({
        code: "CORE_VERSION",
        where,
        what: `plugin ${name} ${definition.version} wants @mailhost/core ${definition.core}, have ${coreVersion}`,
        mend: `Run: npm install ${definition.name}@latest, or install the core it wants.`,
      });
  }
  const byPackage = (wanted: string): Plugin | undefined =>
    present.get(wanted) ?? [...present.values()].find(({ definition }) => definition.name === wanted);
  for (const { plugin, where } of plugins) problems.push(...checkRequirements(plugin, where, byPackage));
  return problems;
}

function checkRequirements(plugin: Plugin, where: string, find: (name: string) => Plugin | undefined): Problem[] {
  const { requires } = plugin.definition;
  const ranges: Readonly<Record<string, string>> =
    requires === undefined || Array.isArray(requires) ? {} : (requires as Readonly<Record<string, string>>);
  return requiredNames(requires).flatMap((wanted): Problem[] => {
    const found = find(wanted);
    const range = ranges[wanted];
    if (found === undefined)
      return [
        {
          code: "MISSING_REQUIREMENT",
          where,
          what: `plugin ${plugin.name} needs plugin ${wanted}, which is not configured here`,
          mend: `Add ${wanted} to plugins.`,
        },
      ];
    if (range !== undefined && !semver.satisfies(found.definition.version, range, { includePrerelease: true }))
      return [
        {
          code: "MISSING_REQUIREMENT",
          where,
          what: `plugin ${plugin.name} wants ${wanted} ${range}, have ${found.definition.version}`,
          mend: `Run: npm install ${wanted}@"${range}".`,
        },
      ];
    return [];
  });
}

/** Plugins are asked for by the name they stand under, or by their own when they stand under another. */
export const standing = (names: readonly string[], present: readonly Plugin[]): string[] =>
  names.flatMap((name) => {
    if (present.some((plugin) => plugin.name === name)) return [name];
    const others = present.filter(({ definition }) => definition.name === name).map((plugin) => plugin.name);
    return others.length === 0 ? [name] : others;
  });

export function unknownNames(tap: NotedTap, present: readonly Plugin[]): Problem[] {
  const names = present.map(({ name }) => name);
  // What it requires and is not there is a problem of its own
  const required = requiredNames(present.find(({ name }) => name === tap.plugin)?.definition.requires);
  return [...tap.before, ...tap.after]
    .filter((name) => !names.includes(name) && !required.includes(name))
    .map((name) => {
      const near = nearest(name, names);
      const mend = near === undefined ? "Add that plugin or remove the wish." : `Did you mean ${near}?`;
      return {
        code: "UNKNOWN_ORDER",
        where: "plugins",
        what: `plugin ${tap.plugin} wants to stand beside ${name} in ${tap.hook}, which is not configured`,
        mend,
      };
    });
}

/** What no plugin can see alone. */
export function checkWhole(
  { where, defaults, listener, plugins }: Blueprint,
  vocabulary: Vocabulary,
  taps: readonly NotedTap[],
): Problem[] {
  const problems: Problem[] = [];
  if (vocabulary.transports.size === 0)
    problems.push({
      code: "NO_HANDLER",
      where,
      what: "no plugin takes messages, so every recipient would be refused",
      mend: "Add a plugin with a transport: one that calls a function, or one that fills mailboxes.",
    });
  for (const kind of ["local", "relay"] as const) {
    const name = defaults[kind];
    const transport = name === undefined ? undefined : vocabulary.transports.get(name);
    if (name === undefined || transport?.kind === kind) continue;
    const have = [...vocabulary.transports.values()].filter((one) => one.kind === kind).map((one) => one.name);
    problems.push({
      code: "BAD_LISTENER",
      where: `${where}.default.${kind}`,
      what:
        transport === undefined
          ? `no plugin provides the transport ${name}`
          : `transport ${name} is ${transport.kind}, not ${kind}`,
      mend: have.length === 0 ? `No plugin provides a ${kind} transport.` : `Use one of: ${have.join(", ")}.`,
    });
  }
  problems.push(...unknownTransports(plugins, vocabulary), ...tapsOfNothing(plugins, vocabulary, taps));
  if (listener.implicitTls && vocabulary.preamble?.kind !== "upgrade")
    problems.push({
      code: "NO_TLS",
      where,
      what: "the listener wants TLS from the first octet, and no plugin provides it",
      mend: "Add a plugin that does, such as one for certificates.",
    });
  return problems;
}

/** A route to a transport that is not there would be noticed by the first client only. */
function unknownTransports(plugins: Blueprint["plugins"], { transports, routes }: Vocabulary): Problem[] {
  const have = [...transports.keys()];
  return routes
    .filter(({ transport }) => !transports.has(transport))
    .map(({ plugin, transport, where }) => {
      const near = nearest(transport, have);
      const place = plugins.find((one) => one.plugin.name === plugin)?.where ?? "plugins";
      const mend = near === undefined ? `There are: ${have.join(", ") || "none"}.` : `Did you mean ${near}?`;
      const what = `plugin ${plugin} routes to the transport ${transport}, which no plugin provides`;
      return { code: "BAD_OPTION", where: `${place}.${where}`, what, mend };
    });
}

/** A queue tap on a transport that is not there would never be asked: a carrier nobody calls, or a judge that does not judge. */
function tapsOfNothing(
  plugins: Blueprint["plugins"],
  { transports }: Vocabulary,
  taps: readonly NotedTap[],
): Problem[] {
  const have = [...transports.keys()];
  return taps.flatMap(({ hook, transport, plugin }) => {
    if (hook !== "queue" || transport === undefined || transports.has(transport)) return [];
    const near = nearest(transport, have);
    const where = plugins.find((one) => one.plugin.name === plugin)?.where ?? "plugins";
    const mend = near === undefined ? `There are: ${have.join(", ") || "none"}.` : `Did you mean ${near}?`;
    const what = `plugin ${plugin} taps queue of the transport ${transport}, which no plugin provides`;
    return [{ code: "UNKNOWN_TRANSPORT", where, what, mend }];
  });
}
