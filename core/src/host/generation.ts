import { Deadlines } from "./deadlines.ts";
import { describe } from "./guard.ts";
import type { Health } from "./health.ts";
import type { Hooks } from "./hooks.ts";
import type { Limits, Timeouts } from "./limits.ts";
import type { Onlookers } from "./onlookers.ts";
import type { ListenerInfo } from "./plugin.ts";
import type { PermitDeclaration, RouteDeclaration } from "./extension.ts";
import type { DefaultTransports, Transport } from "./recipient.ts";
import type { Reply } from "../protocol/reply.ts";
import type { BareLineEnds } from "../protocol/body.ts";
import type { Clock, Log, Resolver } from "./services.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** One tap in its place, for `mailhost hooks`. */
export interface PlannedTap {
  readonly hook: string;
  readonly plugin: string;
  readonly version: string;
  readonly tap: string;
  readonly kind: "sync" | "async" | "promise";
  readonly stage: string;
  readonly onFailure: string;
  /** Plugins that must come later or earlier, by the names they stand under. What is required comes earlier too. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Why it stands where it stands. */
  readonly why: string;
}

/** A plugin in force and what its manifest says, for `mailhost plugins`. */
export interface PlannedPlugin {
  readonly name: string;
  /** Name in its manifest: `name` may be its `as`. */
  readonly package: string;
  readonly version: string;
  /** Path it is configured at: `plugins[0]`. */
  readonly where: string;
  /** semver range of core. */
  readonly core: string;
  /** Plugins it requires, each with its range; `*` is any. */
  readonly requires: Readonly<Record<string, string>>;
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Names of its options; undefined when it checks none. */
  readonly options: readonly string[] | undefined;
  readonly provides: readonly string[];
  /** Whether it sees every dialogue (`trace`). */
  readonly watches: boolean;
}

export interface Services {
  readonly log: Log;
  readonly clock: Clock;
  readonly resolver: Resolver;
}

/** What is in force on one listener. */
export interface Generation {
  readonly listener: ListenerInfo;
  /** In configuration order. */
  readonly plugins: readonly PlannedPlugin[];
  /** Hook by hook, in the order they are asked. */
  readonly taps: readonly PlannedTap[];
  readonly limits: Limits;
  readonly timeouts: Timeouts;
  /** Transports of recipients that nobody routed. */
  readonly defaults: DefaultTransports;
  readonly vocabulary: {
    readonly transports: ReadonlyMap<string, Transport>;
    readonly permits: readonly (PermitDeclaration & { readonly plugin: string })[];
    readonly routes: readonly (RouteDeclaration & { readonly plugin: string })[];
  };
  /** Sessions that are not over. */
  readonly sessions: number;
  /** Somebody watches what happens. */
  readonly traced: boolean;
}

/** One set of hooks, plugins and options in force on one listener. Sessions finish on the one they began with. */
export class LiveGeneration implements Generation {
  readonly listener: ListenerInfo;
  readonly hooks: Hooks;
  readonly vocabulary: Vocabulary;
  readonly limits: Limits;
  readonly timeouts: Timeouts;
  readonly defaults: DefaultTransports;
  readonly bareLineEnds: (clientAddress: string) => BareLineEnds;
  readonly services: Services;
  readonly taps: readonly PlannedTap[];
  readonly plugins: readonly PlannedPlugin[];
  /** By the name a plugin stands under. */
  readonly health: ReadonlyMap<string, Health>;
  readonly onlookers: Onlookers;
  /** Of its sessions. */
  readonly deadlines: Deadlines;
  /** Some watcher looks at bodies. */
  readonly bodiesTraced: boolean;
  readonly longestLine: number;
  /** RFC 5321 §4.2: the greeting says who greets. */
  readonly banner: Reply;
  readonly #closers: Closer[];
  #sessions = 0;
  #retired: (() => void) | undefined;

  constructor(parts: GenerationParts) {
    this.listener = parts.listener;
    this.hooks = parts.hooks;
    this.vocabulary = parts.vocabulary;
    this.limits = parts.limits;
    this.timeouts = parts.timeouts;
    this.defaults = parts.defaults;
    this.bareLineEnds = parts.bareLineEnds;
    this.services = parts.services;
    this.taps = parts.taps;
    this.plugins = parts.plugins;
    this.health = parts.health;
    this.onlookers = parts.onlookers;
    this.deadlines = new Deadlines(parts.services.clock);
    this.bodiesTraced = parts.bodiesTraced;
    this.longestLine = parts.vocabulary.longestLine;
    this.banner = Object.freeze({ code: 220, text: `${parts.listener.serverName} ESMTP` });
    this.#closers = parts.closers;
  }

  get traced(): boolean {
    return this.hooks.trace.taps.length > 0;
  }

  get sessions(): number {
    return this.#sessions;
  }

  /** A session begins on this generation. Each is to `leave` once. */
  enter(): void {
    this.#sessions += 1;
  }

  leave(): void {
    this.#sessions -= 1;
    if (this.#sessions === 0) this.#retired?.();
  }

  /** Nobody waits any longer for sessions that do not end. */
  giveUp(): void {
    this.#retired?.();
  }

  /** No new sessions come. Waits for those that are open, then closes what plugins opened. */
  async retire(): Promise<void> {
    if (this.#sessions > 0) await new Promise<void>((resolve) => (this.#retired = resolve));
    await runClosers(this.#closers, this.services.log);
  }
}

export interface GenerationParts extends Pick<
  LiveGeneration,
  | "listener"
  | "hooks"
  | "vocabulary"
  | "limits"
  | "timeouts"
  | "defaults"
  | "bareLineEnds"
  | "services"
  | "taps"
  | "plugins"
  | "health"
  | "onlookers"
  | "bodiesTraced"
> {
  readonly closers: Closer[];
}

/** What a plugin opened is to be closed by it. */
export interface Closer {
  readonly plugin: string;
  readonly close: () => void | Promise<void>;
}

/** Milliseconds a plugin gets to close what it opened. */
const closeMilliseconds = 10_000;

/**
 * Runs all of them in reverse order; one that fails or does not end is logged and keeps none of the others.
 * Empties the list: who opened a shared value that lives on still holds its host, and with it what closed the others.
 */
export async function runClosers(closers: Closer[], log: Log, milliseconds = closeMilliseconds): Promise<void> {
  for (const { plugin, close } of closers.splice(0).toReversed()) {
    let timer: NodeJS.Timeout | undefined;
    try {
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`it did not end within ${milliseconds} ms`)), milliseconds);
      });
      await Promise.race([close(), late]);
    } catch (error) {
      log.error({ plugin, err: error }, `plugin ${plugin} failed to close: ${describe(error)}`);
    } finally {
      clearTimeout(timer);
    }
  }
}
