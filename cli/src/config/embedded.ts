import type { Config } from "./types.ts";

/** What runs when nobody wrote a configuration: takes mail for everybody, from this machine only, and shows the dialogue. */
export const embedded = (mail: string): Config => ({
  // A newcomer pipes a file with LF line ends into curl, and curl sends it as it is
  listeners: [{ host: "127.0.0.1", port: 2525, bareLineEnds: "normalize" }],
  plugins: [
    ["mux", { catchAll: true, routes: { "*@*": "maildir" } }],
    ["maildir", { root: mail }],
    ["debug-log", {}],
  ],
});
