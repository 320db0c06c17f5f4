import semver from "semver";
import type { BareLineEnds } from "../protocol/body.ts";
import { Facade, type NotedTap, insertWatcher, requiredNames } from "./facade.ts";
import { Generation, type PlannedTap, type Services, runClosers } from "./generation.ts";
import { describe } from "./guard.ts";
import { type Hooks, makeHooks } from "./hooks.ts";
import type { Limits, Timeouts } from "./limits.ts";
import { checkOptions } from "./options.ts";
import { orderTaps } from "./order.ts";
import type { Host, ListenerInfo, Plugin } from "./plugin.ts";
import { ConfigurationError, type Problem, nearest } from "./problems.ts";
import type { DefaultTransports } from "./recipient.ts";
import type { SharedValues } from "./shared.ts";
import { coreVersion } from "./version.ts";
import { Vocabulary } from "./vocabulary.ts";

/** What a listener is to be: plugins in configuration order, each with the path it was configured at. */
export interface Blueprint {
  readonly listener: ListenerInfo;
  readonly plugins: readonly { readonly plugin: Plugin; readonly where: string }[];
  readonly limits: Limits;
  readonly timeouts: Timeouts;
  readonly defaults: DefaultTransports;
  readonly bareLineEnds: (clientAddress: string) => BareLineEnds;
  /** Path of the listener in the configuration. */
  readonly where: string;
}

interface Applied {
  readonly plugin: Plugin;
  readonly facade: Facade;
  readonly provides: string[];
}

/**
 * Checks, applies, orders and seals. Rejects with a ConfigurationError that holds every problem found;
 * then nothing of the generation remains.
 */
export async function buildGeneration(
  blueprint: Blueprint,
  services: Services,
  shared: SharedValues,
): Promise<Generation> {
  const problems: Problem[] = checkManifests(blueprint);
  const vocabulary = new Vocabulary(blueprint.limits.messageOctets, services.log);
  const closers: (() => void | Promise<void>)[] = [];
  const applied: Applied[] = [];
  for (const { plugin, where } of blueprint.plugins) {
    const checked = await checkOptions(plugin, where);
    problems.push(...checked.problems);
    if (checked.problems.length > 0) continue;
    const facade = new Facade(plugin, blueprint.timeouts);
    const one: Applied = { plugin, facade, provides: [] };
    applied.push(one);
    try {
      const host = makeHost(blueprint, services, shared, vocabulary, closers, one);
      await plugin.definition.apply(host, checked.options as never);
    } catch (error) {
      problems.push(...applyProblems(error, plugin, where));
    }
    facade.sealed = true;
  }
  const hooks = makeHooks();
  problems.push(...vocabulary.problems);
  const taps = sealHooks(
    hooks,
    applied.flatMap(({ facade }) => facade.taps),
    problems,
    blueprint,
  );
  for (const { facade } of applied)
    for (const { plugin, watch } of facade.watchers) insertWatcher(hooks, plugin, watch, services.log);
  problems.push(...checkWhole(blueprint, vocabulary));
  if (problems.length > 0) {
    await runClosers(closers, services.log);
    throw new ConfigurationError(problems);
  }
  const plugins = applied.map(({ plugin: { name, definition }, provides }) => {
    const { version, core } = definition;
    return { name, package: definition.name, version, core, provides };
  });
  return new Generation({ ...blueprint, hooks, vocabulary, services, taps, plugins, closers });
}

function makeHost(
  { listener }: Blueprint,
  { log, clock, resolver }: Services,
  shared: SharedValues,
  vocabulary: Vocabulary,
  closers: (() => void | Promise<void>)[],
  { plugin, facade, provides }: Applied,
): Host {
  return {
    name: plugin.name,
    listener,
    hooks: facade.hooks(),
    log,
    clock,
    resolver,
    extend(extension) {
      if (facade.sealed) throw new Error(`plugin ${plugin.name} extends after the server was sealed: do it in apply`);
      vocabulary.extend(plugin.name, extension);
      provides.push(
        ...Object.keys(extension.keywords ?? {}).map((name) => `keyword ${name}`),
        ...Object.keys(extension.verbs ?? {}).map((name) => `verb ${name}`),
        ...(extension.mechanisms ?? []).map(({ name }) => `mechanism ${name}`),
        ...(extension.transports ?? []).map(({ name = plugin.name, kind }) => `${kind} transport ${name}`),
      );
    },
    onClose: (close) => void closers.push(close),
    async shared(key, open, close) {
      const { value, give } = await shared.take(`${plugin.name}/${key}`, open, close);
      closers.push(give);
      return value;
    },
  };
}

const applyProblems = (error: unknown, plugin: Plugin, where: string): readonly Problem[] =>
  error instanceof ConfigurationError
    ? error.problems.map((problem) => ({
        ...problem,
        where: `${where}${problem.where === "" ? "" : `.${problem.where}`}`,
      }))
    : [
        {
          code: "APPLY_FAILED",
          where,
          what: `plugin ${plugin.name} could not be set up: ${describe(error)}`,
          mend: "See its README.",
        },
      ];

function checkManifests({ plugins }: Blueprint): Problem[] {
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

const judging = ["connect", "ehlo", "auth", "rcpt", "data"] as const;

/** Puts every tap in its place, and says what stands where and why. */
function sealHooks(
  hooks: Hooks,
  noted: readonly NotedTap[],
  problems: Problem[],
  { plugins }: Blueprint,
): PlannedTap[] {
  const present = plugins.map(({ plugin }) => plugin);
  const planned: PlannedTap[] = [];
  const taps = noted.map((tap) => ({
    ...tap,
    before: standing(tap.before, present),
    after: standing(tap.after, present),
  }));
  const seal = (label: string, into: unknown, some: readonly NotedTap[]): void => {
    for (const tap of some) problems.push(...unknownNames(tap, present));
    const { ordered, problems: cycles } = orderTaps(some, label);
    problems.push(...cycles);
    for (const { insert, owner, kind, stage, why } of ordered) {
      insert(into as never);
      const { plugin, version, tap, onFailure } = owner;
      planned.push({ hook: label, plugin, version, tap, kind, stage, onFailure, why });
    }
  };
  for (const hook of judging)
    seal(
      hook,
      hooks[hook],
      taps.filter((tap) => tap.hook === hook),
    );
  for (const transport of new Set(taps.filter((tap) => tap.hook === "queue").map((tap) => tap.transport ?? "")))
    seal(
      `queue ${transport}`,
      hooks.queue.for(transport),
      taps.filter((tap) => tap.hook === "queue" && tap.transport === transport),
    );
  return planned;
}

/** Plugins are asked for by the name they stand under, or by their own when they stand under another. */
const standing = (names: readonly string[], present: readonly Plugin[]): string[] =>
  names.flatMap((name) => {
    if (present.some((plugin) => plugin.name === name)) return [name];
    const others = present.filter(({ definition }) => definition.name === name).map((plugin) => plugin.name);
    return others.length === 0 ? [name] : others;
  });

function unknownNames(tap: NotedTap, present: readonly Plugin[]): Problem[] {
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
function checkWhole({ where, defaults, listener, plugins }: Blueprint, vocabulary: Vocabulary): Problem[] {
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
  problems.push(...unknownTransports(plugins, vocabulary));
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
