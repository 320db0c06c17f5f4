import { defineConfig } from "mailhost";

export default defineConfig({
  name: "mx.example.com",
  listeners: [{ host: "127.0.0.1", port: 2525 }],
  plugins: [
    "./greet.ts",
    ["addressable", { domains: ["example.com"] }],
    ["maildir", { root: "./mail" }],
    ["debug-log", { body: "headers" }],
  ],
  default: { local: "maildir" },
});
