// mailhost with the mission's plugins and a transport that stores nothing. Says its port to the parent.
import { definePlugin, mailhost } from "@mailhost/core";
import { addressable } from "@mailhost/plugin-addressable";
import { authPlain } from "@mailhost/plugin-auth-plain";
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

const many = Number.MAX_SAFE_INTEGER;
const server = mailhost({
  name: "mx.example.com",
  limits: process.argv.includes("--raise-connections") ? { connections: many, connectionsPerClient: many } : {},
  listeners: [{ host: "127.0.0.1", port: 0 }],
  plugins: [
    starttls({ selfSigned: true }),
    authPlain({ verify: () => false }),
    addressable({ domains: ["example.com"] }),
    mux({ routes: { "*@example.com": "nowhere" } }),
    nowhere(),
  ],
});
await server.listen();
process.send?.(server.addresses[0]?.port);
