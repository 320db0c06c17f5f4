import type { ListenerMode, Session } from "../protocol/session.ts";
import type { Extension } from "./extension.ts";
import type { OnFailure } from "./guard.ts";
import type { PluginHooks } from "./hooks.ts";
import type { Fault } from "./onlookers.ts";
import type { Clock, Log, Resolver } from "./services.ts";
import type { HookName } from "./trace.ts";

/** The part of the Standard Schema interface (v1) that core uses: valibot, zod, arktype and others implement it. */
export interface StandardSchema<Output> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

/** What a schema says of a value. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
      }[];
    };

/** How options are checked: a schema, and the names of its keys, since not every schema says no to an unknown one. */
export interface OptionsCheck<Options> {
  readonly schema: StandardSchema<Options>;
  readonly keys: readonly string[];
}

/** What a plugin says of itself, and what it does. */
export interface PluginDefinition<Options> {
  readonly name: string;
  readonly version: string;
  /** semver range of @mailhost/core; also its peerDependency. */
  readonly core: string;
  /** Plugins that must be there too, with a range or without: they come earlier. */
  readonly requires?: readonly string[] | Readonly<Record<string, string>>;
  /** Plugins that come later, in every hook. */
  readonly before?: readonly string[];
  /** Plugins that come earlier, in every hook. */
  readonly after?: readonly string[];
  readonly onFailure?: OnFailure | Partial<Record<HookName, OnFailure>>;
  readonly options?: OptionsCheck<Options>;
  /** Taps hooks and extends the vocabulary, nothing else. Once per listener and generation. */
  apply(host: Host, options: Options): void | Promise<void>;
}

/** The listener a plugin is applied to. */
export interface ListenerInfo {
  readonly name: string;
  readonly serverName: string;
  readonly mode: ListenerMode;
  /** TLS from the first octet (RFC 8314 §3). */
  readonly implicitTls: boolean;
}

/** What core gives a plugin. */
export interface Host {
  /** Name the plugin stands under here: its own, or its `as`. */
  readonly name: string;
  readonly listener: ListenerInfo;
  readonly hooks: PluginHooks;
  /** The server's log; each line names the plugin. */
  readonly log: Log;
  readonly clock: Clock;
  readonly resolver: Resolver;
  extend(extension: Extension): void;
  /** Runs when a client did something wrong, before it is answered. For those who count: it changes nothing. */
  onFault(call: (session: Session, fault: Fault) => void): void;
  /**
   * Runs once for every session, when its connection is closed and no message of it is under way. By its `id`: TLS and
   * an assumed client make another object of it. Also for one that `connect` was never asked about.
   */
  onSessionEnd(call: (session: Session) => void): void;
  /** Runs when the last session of this generation is over. */
  onClose(close: () => void | Promise<void>): void;
  /**
   * What has one owner across listeners and generations (a journal, counters): opened by the first, closed with the last.
   * `key` is per plugin name.
   */
  shared<T>(key: string, open: () => T | Promise<T>, close?: (value: T) => void | Promise<void>): Promise<T>;
}

/** How a configured plugin stands in its server. */
export interface Placement {
  /** Another name, so that one plugin may stand twice. */
  readonly as?: string;
  readonly onFailure?: PluginDefinition<never>["onFailure"];
}

export const pluginBrand: unique symbol = Symbol.for("mailhost.plugin") as never;

/** A plugin with its options, ready to be put in a server. */
export interface Plugin {
  readonly [pluginBrand]: "instance";
  /** Name it stands under. */
  readonly name: string;
  readonly definition: PluginDefinition<never>;
  readonly options: unknown;
  readonly placement: Placement;
}

/** What a plugin package exports by default: options in, plugin out. */
export interface PluginFactory<Options> {
  (
    ...args: Record<string, never> extends Options
      ? [options?: Options, placement?: Placement]
      : [options: Options, placement?: Placement]
  ): Plugin;
  readonly [pluginBrand]: "factory";
  readonly definition: PluginDefinition<Options>;
}

/**
 * Makes the factory a plugin package exports. Options are checked when the server starts, with all others.
 *
 * @example
 * export default definePlugin<{ text: string }>({
 *   name: "motd", version: "1.0.0", core: "^1.0.0",
 *   apply(host, options) { host.extend({ keywords: { XMOTD: () => options.text } }); },
 * });
 */
export function definePlugin<Options = Record<string, never>>(
  definition: PluginDefinition<Options>,
): PluginFactory<Options> {
  const make = (options?: Options, placement: Placement = {}): Plugin => ({
    [pluginBrand]: "instance",
    name: placement.as ?? definition.name,
    // Options meet their own definition again after the schema has passed them
    definition: definition as PluginDefinition<never>,
    options: options ?? {},
    placement,
  });
  return Object.assign(make, { [pluginBrand]: "factory", definition } as const) as PluginFactory<Options>;
}

const branded = (value: unknown, kind: string): boolean =>
  ((typeof value === "object" && value !== null) || typeof value === "function") &&
  pluginBrand in value &&
  (value as Record<typeof pluginBrand, unknown>)[pluginBrand] === kind;

/** By brand, never by `instanceof`: two copies of core must understand each other. */
export const isPlugin = (value: unknown): value is Plugin => branded(value, "instance");
export const isPluginFactory = (value: unknown): value is PluginFactory<unknown> => branded(value, "factory");
