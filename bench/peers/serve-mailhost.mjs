// mailhost in one of the bench's dresses. Says its port to the parent. argv: the dress, a folder
// for what it writes, and --raise-connections or --raise-counts, which raises those of a session too
import { openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { definePlugin, mailhost } from "@mailhost/core";
import { addressable } from "@mailhost/plugin-addressable";
import { authPlain } from "@mailhost/plugin-auth-plain";
import { debugLog } from "@mailhost/plugin-debug-log";
import { maildir } from "@mailhost/plugin-maildir";
import { mux } from "@mailhost/plugin-mux";
import { starttls } from "@mailhost/plugin-starttls";

const nowhere = definePlugin({
  name: "nowhere",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host) {
    host.extend({ transports: [{ kind: "local", phases: "two" }] });
    host.hooks.queue.for(host.name).tap("nowhere", (delivery) => delivery.stage({ commit() {}, abort() {} }));
  },
});

/** Accepts everything, with one tap: core and nothing else. */
const takesAll = definePlugin({
  name: "takes-all",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host) {
    host.hooks.rcpt.tap("takes-all", (recipient) => {
      recipient.permit("local");
      recipient.routeTo({ transport: "nowhere" });
    });
  },
});

const [, , dressName = "mission", root = ""] = process.argv;
const mission = (transport) => [
  starttls({ selfSigned: true }),
  authPlain({ verify: () => true, allowInsecure: true }),
  addressable({ domains: ["example.com"] }),
  mux({ routes: { "*@example.com": transport } }),
];
const dresses = {
  bare: () => [takesAll(), nowhere()],
  mission: () => [...mission("nowhere"), nowhere()],
  trace: () => [...mission("nowhere"), nowhere(), debugLog({ text: join(root, "trace.txt") })],
  maildir: () => [...mission("maildir"), maildir({ root })],
  journal: () => [...mission("maildir"), maildir({ root, journal: true })],
};

const dress = dresses[dressName];
if (dress === undefined) throw new Error(`which of ${Object.keys(dresses).join(", ")}?`);
const many = Number.MAX_SAFE_INTEGER;
const file = openSync("/dev/null", "w");
const say = (fields, message) =>
  void writeSync(file, `${JSON.stringify({ time: Date.now(), ...fields, msg: message })}\n`);
const server = mailhost({
  name: "mx.example.com",
  // As the command logs, but to nowhere
  log: { debug: () => {}, info: say, warn: say, error: say },
  limits: {
    ...(process.argv.some((arg) => arg.startsWith("--raise")) ? { connections: many, connectionsPerClient: many } : {}),
    ...(process.argv.includes("--raise-counts") ? { transactions: many, commands: many } : {}),
  },
  listeners: [{ host: "127.0.0.1", port: 0 }],
  plugins: dress(),
});
await server.listen();
process.send?.(server.addresses[0]?.port);
process.on("disconnect", () => process.exit(0)); // the bench is over, or was ended
