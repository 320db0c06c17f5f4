import semver from "semver";
import type { Blueprint } from "./build.ts";
import { type NotedTap, requiredNames } from "./facade.ts";
import { accepts, requirements, unreadable } from "./manifest.ts";
import type { Plugin } from "./plugin.ts";
import { type Problem, meant, nearest } from "./problems.ts";
import { coreVersion } from "./version.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** What the manifests alone tell: names, versions, requirements. One that cannot be read is looked at no further. */
export function checkManifests({ plugins }: Blueprint): { problems: Problem[]; unreadable: Set<Plugin> } {
  const problems: Problem[] = [];
  const present = new Map<string, Stands>();
  const broken = new Set<Plugin>();
  for (const { plugin, where } of plugins) {
    const unread = unreadable(plugin, where);
    problems.push(...unread);
    if (unread.length > 0) broken.add(plugin);
    if (present.has(plugin.name))
      problems.push({
        code: "DUPLICATE_NAME",
        where,
        what: `plugin ${plugin.name} stands twice on this listener`,
        mend: "Give one of them another name with `as`.",
      });
    present.set(plugin.name, { plugin, where });
    if (unread.length === 0) problems.push(...checkCore(plugin, where));
  }
  const byPackage = (wanted: string): Stands | undefined =>
    present.get(wanted) ?? [...present.values()].find(({ plugin }) => plugin.definition.name === wanted);
  for (const { plugin, where } of plugins)
    if (!broken.has(plugin)) problems.push(...checkRequirements(plugin, where, byPackage));
  return { problems, unreadable: broken };
}

type Stands = Blueprint["plugins"][number];

function checkCore({ name, definition: { name: own, version, core } }: Plugin, where: string): Problem[] {
  if (accepts(core, coreVersion)) return [];
  // A prerelease comes before its release: the range of an author who means it says so
  const release = coreVersion.split("-")[0] ?? "";
  const early = release !== coreVersion && accepts(core, release) ? `, which comes before ${release}` : "";
  const what = `plugin ${name} ${version} wants @mailhost/core ${core}, have ${coreVersion}${early}`;
  const mend = `Update ${own}, or install the core it wants: npm install @mailhost/core@"${core}"`;
  return [{ code: "CORE_VERSION", where, what, mend, update: { where, range: "latest" } }];
}

function checkRequirements(plugin: Plugin, where: string, find: (name: string) => Stands | undefined): Problem[] {
  return requirements(plugin.definition.requires).flatMap(([wanted, range]): Problem[] => {
    const found = find(wanted);
    if (found === undefined)
      return [
        {
          code: "MISSING_REQUIREMENT",
          where,
          what: `plugin ${plugin.name} needs plugin ${wanted}, which is not configured here`,
          mend: `Add ${wanted} to plugins.`,
        },
      ];
    const { version } = found.plugin.definition;
    // A version that cannot be read is a problem of its own
    if (semver.valid(version) === null || accepts(range, version)) return [];
    return [
      {
        code: "MISSING_REQUIREMENT",
        where,
        what: `plugin ${plugin.name} wants ${wanted} ${range}, have ${version}`,
        mend: `Install ${wanted} ${range}.`,
        update: { where: found.where, range },
      },
    ];
  });
}

/** Plugins are asked for by the name they stand under, or by their own when they stand under another. */
export function standing(names: readonly string[], present: readonly Plugin[]): string[] {
  const found = names.flatMap((name) => {
    if (present.some((plugin) => plugin.name === name)) return [name];
    const others = present.filter(({ definition }) => definition.name === name).map((plugin) => plugin.name);
    return others.length === 0 ? [name] : others;
  });
  return [...new Set(found)];
}

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
  const [mechanism] = vocabulary.mechanisms.keys();
  if (mechanism !== undefined && !taps.some(({ hook, identifies }) => hook === "auth" && identifies))
    problems.push({
      code: "NO_VERIFIER",
      where,
      what: `AUTH ${mechanism} takes credentials that no plugin checks, so every login would fail`,
      mend: "Add a plugin that checks them: one with a password file, for instance.",
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
      const place = plugins.find((one) => one.plugin.name === plugin)?.where ?? "plugins";
      const mend = meant(transport, have);
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
    const where = plugins.find((one) => one.plugin.name === plugin)?.where ?? "plugins";
    const mend = meant(transport, have);
    const what = `plugin ${plugin} taps queue of the transport ${transport}, which no plugin provides`;
    return [{ code: "UNKNOWN_TRANSPORT", where, what, mend }];
  });
}
