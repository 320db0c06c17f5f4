import type { BareLineEnds } from "../protocol/body.ts";
import { checkManifests, checkWhole, standing, unknownNames } from "./checks.ts";
import { Facade, type NotedTap, insertWatcher } from "./facade.ts";
import {
  type Closer,
  type GenerationParts,
  LiveGeneration,
  type PlannedPlugin,
  type PlannedTap,
  type Services,
  runClosers,
} from "./generation.ts";
import { describe } from "./guard.ts";
import { type Hooks, makeHooks } from "./hooks.ts";
import type { Limits, Timeouts } from "./limits.ts";
import { requirements } from "./manifest.ts";
import { Onlookers } from "./onlookers.ts";
import { checkOptions } from "./options.ts";
import { orderTaps } from "./order.ts";
import type { Host, ListenerInfo, Plugin } from "./plugin.ts";
import { ConfigurationError, type Problem } from "./problems.ts";
import type { DefaultTransports } from "./recipient.ts";
import { logOf } from "./services.ts";
import type { SharedValues } from "./shared.ts";
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
  readonly where: string;
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
): Promise<LiveGeneration> {
  const { problems, unreadable } = checkManifests(blueprint);
  const vocabulary = new Vocabulary(blueprint.limits, { ...services, deadline: blueprint.timeouts.tap });
  const closers: Closer[] = [];
  const onlookers = new Onlookers(services.log);
  const applied: Applied[] = [];
  let complete = unreadable.size === 0;
  for (const { plugin, where } of blueprint.plugins) {
    if (unreadable.has(plugin)) continue;
    const checked = await checkOptions(plugin, where);
    problems.push(...checked.problems);
    complete &&= checked.problems.length === 0;
    if (checked.problems.length > 0) continue;
    const facade = new Facade(plugin, blueprint.timeouts, blueprint.listener.name);
    const one: Applied = { plugin, where, facade, provides: [] };
    applied.push(one);
    try {
      const host = makeHost(blueprint, services, shared, { vocabulary, onlookers, closers }, one);
      await plugin.definition.apply(host, checked.options as never);
    } catch (error) {
      complete = false;
      problems.push(...applyProblems(error, plugin, where));
    }
    facade.sealed = true;
  }
  const hooks = makeHooks();
  problems.push(...vocabulary.problems);
  const noted = applied.flatMap(({ facade }) => facade.taps);
  const taps = sealHooks(hooks, noted, problems, blueprint);
  const watchers = applied.flatMap(({ facade }) => facade.watchers);
  for (const { plugin, watch } of watchers) insertWatcher(hooks, plugin, watch, services.log);
  // What a plugin that could not be set up would have provided is not missed as well
  if (complete) problems.push(...checkWhole(blueprint, vocabulary, noted));
  if (problems.length > 0) {
    await runClosers(closers, services.log);
    throw new ConfigurationError(problems);
  }
  const plugins = applied.map(manifestOf);
  const health = new Map(applied.map(({ plugin: { name }, facade }) => [name, facade.health]));
  return new LiveGeneration({
    ...blueprint,
    hooks,
    vocabulary,
    services,
    taps,
    plugins,
    health,
    onlookers,
    bodiesTraced: watchers.some(({ bodies }) => bodies),
    closers,
  });
}

function manifestOf({ plugin: { name, definition }, where, facade, provides }: Applied): PlannedPlugin {
  const { version, core, requires, before = [], after = [], options } = definition;
  return {
    name,
    package: definition.name,
    version,
    where,
    core,
    requires: Object.fromEntries(requirements(requires)),
    before,
    after,
    options: options?.keys,
    provides,
    watches: facade.watchers.length > 0,
  };
}

function makeHost(
  { listener }: Blueprint,
  { log, clock, resolver }: Services,
  shared: SharedValues,
  { vocabulary, onlookers, closers }: Pick<GenerationParts, "vocabulary" | "onlookers" | "closers">,
  { plugin, facade, provides }: Applied,
): Host {
  const mustBeOpen = (does: string): void => {
    if (facade.sealed) throw new Error(`plugin ${plugin.name} ${does} after the server was sealed: do it in apply`);
  };
  return {
    name: plugin.name,
    listener,
    hooks: facade.hooks(),
    log: logOf(plugin.name, log),
    clock,
    resolver,
    extend(extension) {
      mustBeOpen("extends");
      vocabulary.extend(plugin.name, extension, facade.health);
      provides.push(
        ...Object.keys(extension.keywords ?? {}).map((name) => `keyword ${name}`),
        ...Object.keys(extension.verbs ?? {}).map((name) => `verb ${name}`),
        ...Object.keys(extension.mailParameters ?? {}).map((name) => `MAIL parameter ${name}`),
        ...Object.keys(extension.rcptParameters ?? {}).map((name) => `RCPT parameter ${name}`),
        ...(extension.mechanisms ?? []).map(({ name }) => `mechanism ${name}`),
        ...(extension.transports ?? []).map(({ name = plugin.name, kind }) => `${kind} transport ${name}`),
        ...(extension.gate === undefined ? [] : ["gate before every command"]),
        ...(extension.preamble === undefined ? [] : ["preamble before the greeting"]),
      );
    },
    onFault(call) {
      mustBeOpen("watches");
      onlookers.onFault(plugin.name, call);
    },
    onSessionEnd(call) {
      mustBeOpen("watches");
      onlookers.onEnd(plugin.name, call);
    },
    onClose: (close) => void closers.push({ plugin: plugin.name, close }),
    async shared(key, open, close) {
      const { value, give } = await shared.take(`${plugin.name}/${key}`, open, close);
      closers.push({ plugin: plugin.name, close: give });
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
    for (const { insert, owner, kind, stage, before, after, why } of ordered) {
      insert(into as never);
      const { plugin, version, tap, onFailure } = owner;
      planned.push({ hook: label, plugin, version, tap, kind, stage, onFailure, before, after, why });
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
