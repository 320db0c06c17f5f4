import type { ListenerOptions, MailhostOptions, Placement, Plugin, PluginFactory } from "@mailhost/core";

/**
 * A plugin in a configuration: made by its factory, or named. `maildir` stands for `@mailhost/plugin-maildir`, then
 * `mailhost-plugin-maildir`, then a package of that very name; a leading `.` or `/` is a file.
 */
export type PluginEntry = Plugin | string | readonly [name: string, options?: object] | PluginObject;

/** A plugin by name, with all that may be said of it. */
export interface PluginObject {
  readonly plugin: string | PluginFactory<never>;
  readonly options?: object;
  /** Another name, so that one plugin may stand twice. */
  readonly as?: string;
  readonly onFailure?: Placement["onFailure"];
}

/** A listener in a configuration. */
export interface ListenerConfig extends Omit<ListenerOptions, "plugins"> {
  readonly plugins?: readonly PluginEntry[];
}

/** What a configuration file exports or holds. */
export interface Config extends Omit<MailhostOptions, "plugins" | "listeners"> {
  readonly plugins?: readonly PluginEntry[];
  readonly listeners?: readonly ListenerConfig[];
}
