import { type MailhostOptions, type Plugin, type TraceEvent, definePlugin } from "@mailhost/core";

/** A plugin of this command's own that sees the dialogue but no bodies, and changes nothing. */
export const watcher = (watch: (event: TraceEvent) => void): Plugin =>
  definePlugin({
    name: watcherName,
    version: "1.0.0",
    core: "*",
    apply: (host) => host.hooks.trace.tap({ name: "watch", bodies: false }, watch),
  })();

export const watcherName = "(this command)";

const mechanism = "X-MAILHOST-TRY";

/** Lets the one who runs `try` be `username` without a password. It is only ever put into a server without sockets. */
export const prover = (username: string): Plugin =>
  definePlugin({
    name: "(--user)",
    version: "1.0.0",
    core: "*",
    apply(host) {
      host.extend({
        mechanisms: [{ name: mechanism, start: () => ({ credentials: { kind: "proven", username } }) }],
      });
      host.hooks.auth.tap("prove", (credentials) => {
        if (credentials.kind === "proven" && credentials.username === username)
          credentials.identify({ name: username });
      });
    },
  })();

export const proveCommand = `AUTH ${mechanism}`;

/** The plugins without their watchers: a dialogue that this command makes up belongs in nobody's log. */
export const unwatched = (plugins: readonly Plugin[]): Plugin[] =>
  plugins.map((plugin) => ({ ...plugin, definition: withoutWatchers(plugin.definition) }));

const withoutWatchers = (definition: Plugin["definition"]): Plugin["definition"] => ({
  ...definition,
  apply: (host, options) => definition.apply({ ...host, hooks: { ...host.hooks, trace: { tap: () => {} } } }, options),
});

/** The options with a plugin of this command's own on every listener, and no other watchers. */
export const withOurs = (options: MailhostOptions, ours: readonly Plugin[]): Partial<MailhostOptions> => ({
  plugins: [...unwatched(options.plugins ?? []), ...ours],
  ...(options.listeners === undefined
    ? {}
    : {
        listeners: options.listeners.map((listener) =>
          listener.plugins === undefined ? listener : { ...listener, plugins: unwatched(listener.plugins) },
        ),
      }),
});
