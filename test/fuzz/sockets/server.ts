// The server that is talked to by mutated sessions: the mission's plugins, everything at its default but for the number
// of connections from one address, and the time a wrong password takes. argv: the folder of its mail.
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Log, type ListeningAddress, mailhost } from "@mailhost/core";
import { addressable } from "@mailhost/plugin-addressable";
import { authLogin } from "@mailhost/plugin-auth-login";
import { authPlain } from "@mailhost/plugin-auth-plain";
import { maildir } from "@mailhost/plugin-maildir";
import { mux } from "@mailhost/plugin-mux";
import { starttls } from "@mailhost/plugin-starttls";
import { account } from "../../../core/test/laws/speech.ts";
import { type LoopReport, LoopWatch } from "./loop-watch.ts";

export interface ServerReport extends LoopReport {
  readonly listening: readonly ListeningAddress[];
  /** What nobody handled. */
  readonly loose: readonly string[];
  /** Lines of the log that are errors. */
  readonly errors: readonly string[];
  readonly descriptors: number;
  /** Octets that a collection leaves. */
  readonly heap: number;
}

const loose: string[] = [];
for (const event of ["uncaughtException", "unhandledRejection"])
  process.on(event, (error: unknown) =>
    loose.push(`${event}: ${error instanceof Error ? error.stack : String(error)}`),
  );

const errors: string[] = [];
const log: Log = { debug() {}, info() {}, warn() {}, error: (_fields, message) => void errors.push(message) };

const watch = new LoopWatch();
const many = 10_000;
const server = mailhost({
  name: "mx.example.com",
  log,
  limits: { connections: many, connectionsPerClient: many },
  listeners: [
    { name: "plain", host: "127.0.0.1", port: 0 },
    { name: "tls", host: "127.0.0.1", port: 0, tls: "implicit" },
  ],
  plugins: [
    starttls({ selfSigned: true }),
    authPlain({
      verify: (user, word) => user === account.username && word === account.password,
      allowInsecure: true,
      failureDelay: 20,
    }),
    authLogin({ allowInsecure: true }),
    addressable({ domains: ["example.com"], relay: { identities: true } }),
    mux({ routes: { "*@example.com": "maildir" } }),
    maildir({ root: process.argv[2] ?? "" }),
  ],
});
await server.listen();

async function report(): Promise<ServerReport> {
  const told = watch.report();
  for (let time = 0; time < 3; time += 1) {
    globalThis.gc?.();
    await sleep(20); // buffers are freed behind it
  }
  const { heapUsed, external } = process.memoryUsage();
  watch.report(); // collecting all at once is no client's doing
  const descriptors = readdirSync("/proc/self/fd").length;
  return { ...told, listening: server.addresses, loose, errors, descriptors, heap: heapUsed + external };
}

process.on("message", () => void report().then((told) => process.send?.(told)));
process.on("disconnect", () => process.exit());
process.send?.(await report());
