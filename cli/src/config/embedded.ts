import type { Config } from "./types.ts";

/** What runs when nobody wrote a configuration: takes mail for everybody, from this machine only, and shows the dialogue. */
export const embedded = (mail: string): Config => ({
  listeners: [{ host: "127.0.0.1", port: 2525 }],
  plugins: [
    ["mux", { catchAll: true, routes: { "*@*": "maildir" } }],
    ["maildir", { root: mail }],
    ["debug-log", {}],
  ],
});
