// The server whose bounds are measured: the mission's plugins, a transport that reads and discards, default limits but for
// the two of connections (argv), which these tests raise, and nothing else. Answers its parent's questions.
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Log, definePlugin, mailhost } from "@mailhost/core";
import { addressable } from "@mailhost/plugin-addressable";
import { authPlain } from "@mailhost/plugin-auth-plain";
import { mux } from "@mailhost/plugin-mux";
import { starttls } from "@mailhost/plugin-starttls";
import type { Answer, Question } from "./serving.ts";
import { UnsentWatch } from "./unsent.ts";

const discard = definePlugin({
  name: "discard",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host) {
    host.extend({ transports: [{ kind: "local", phases: "two" }] });
    host.hooks.queue.for(host.name).tapPromise("discard", async (delivery) => {
      const pieces = delivery.message.open()[Symbol.asyncIterator]();
      while ((await pieces.next()).done !== true);
      delivery.stage({ commit() {}, abort() {} });
    });
  },
});

let lines = 0;
const count = (): void => void (lines += 1);
const log: Log = { debug() {}, info: count, warn: count, error: count };

const unsent = new UnsentWatch();
subscribe("net.server.socket", (message) => unsent.watch((message as { socket: Socket }).socket)); // as node:net documents it

const connections = Number(process.argv[2]);
const server = mailhost({
  name: "mx.example.com",
  log,
  limits: { connections, connectionsPerClient: connections },
  listeners: [{ host: "127.0.0.1", port: 0 }],
  plugins: [
    starttls({ selfSigned: true }),
    authPlain({ verify: () => false, allowInsecure: true }),
    addressable({ domains: ["example.com"] }),
    mux({ routes: { "*@example.com": "discard" } }),
    discard(),
  ],
});
await server.listen();

const answer = async (question: Question): Promise<Answer> => {
  for (let time = 0; question === "collect" && time < 3; time += 1) {
    globalThis.gc?.();
    await sleep(20); // buffers are freed behind it
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return {
    port: server.addresses[0]?.port ?? 0,
    heapUsed,
    external,
    arrayBuffers,
    lines,
    readWhileUnsent: unsent.most,
  };
};
process.on("message", (question: Question) => void answer(question).then((told) => process.send?.(told)));
process.on("disconnect", () => process.exit());
process.send?.(await answer("how"));
