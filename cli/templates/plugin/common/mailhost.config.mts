import { defineConfig } from "mailhost";

// What `npm start` runs: your plugin as it stands in src, and everybody's mail in ./mail
export default defineConfig({
  listeners: [{ host: "127.0.0.1", port: 2525 }],
  plugins: [
    ["./src/index.ts", { domains: ["spam.example"] }],
    ["mux", { catchAll: true, routes: { "*@*": "maildir" } }],
    ["maildir", { root: "./mail" }],
    "debug-log",
  ],
});
