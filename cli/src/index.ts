// What configuration files import. The command itself is bin/mailhost.js.

import type { Config } from "./config/types.ts";

export type { Config, ListenerConfig, PluginEntry, PluginObject } from "./config/types.ts";

/**
 * Gives a configuration back as it is: for its types.
 *
 * @example
 * export default defineConfig({
 *   name: "mx.example.com",
 *   listeners: [{ port: 25 }],
 *   plugins: [["addressable", { domains: ["example.com"] }], ["maildir", { root: "./mail" }]],
 *   default: { local: "maildir" },
 * });
 */
export const defineConfig = (config: Config): Config => config;
