import { ConfigurationError, definePlugin, replies } from "@mailhost/core";
import { host, sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { type LimitsOptions, limits } from "../src/index.ts";

/** What is wrong with options, as the configuration's author reads it. */
async function problems(options: unknown): Promise<string[]> {
  // What a configuration in JSON may hold, whatever the type says
  const started = host({ plugins: [sink(), limits(options as LimitsOptions)] });
  const error: unknown = await started.then((server) => server.close().then(() => undefined)).catch((reason) => reason);
  if (error === undefined) return [];
  if (!(error instanceof ConfigurationError)) throw error;
  return error.problems.map(({ where, what }) => `${where}: ${what.replace(/^option \S+ of plugin limits: /, "")}`);
}

const rate = { points: 1, duration: 60 };

test.each<[unknown, string]>([
  [{ rates: {} }, "plugins[1].options.rates: plugin limits has no option rates"],
  [{ messages: { ip: rate } }, 'plugins[1].options.messages.ip: Invalid key: Expected never but received "ip"'],
  [{ messages: { address: 100 } }, "plugins[1].options.messages.address: a rate like { points: 100, duration: 60 } is needed, or false"],
  [{ messages: { address: { points: 0, duration: 60 } } }, "plugins[1].options.messages.address.points: at least 1"],
  [{ messages: { address: { points: 1.5, duration: 60 } } }, "plugins[1].options.messages.address.points: a whole number from 1 is needed"],
  [{ messages: { address: { points: "9", duration: 60 } } }, "plugins[1].options.messages.address.points: a whole number from 1 is needed"],
  [{ messages: { address: { points: 1, duration: 1e9 } } }, "plugins[1].options.messages.address.duration: at most 2678400"],
  [{ connections: { identity: rate } }, 'plugins[1].options.connections.identity: Invalid key: Expected never but received "identity"'],
  [{ concurrency: { address: 0 } }, "plugins[1].options.concurrency.address: at least 1"],
  [{ prefixes: { ipv4: 33 } }, "plugins[1].options.prefixes.ipv4: at most 32"],
  [{ prefixes: { ipv6: 0 } }, "plugins[1].options.prefixes.ipv6: at least 16"],
  [{ exempt: ["everybody"] }, 'plugins[1].options.exempt[0]: "everybody" is no IP address and no network like 192.0.2.0/24'],
  [{ tarpit: { most: 60_000 } }, "plugins[1].options.tarpit.most: at most 20000"],
  [{ tarpit: true }, "plugins[1].options.tarpit: Invalid type: Expected Object but received true"],
  [{ store: "memory" }, "plugins[1].options.store: a URL like redis://127.0.0.1:6379 is needed, or a function that makes a limiter"],
  [{ store: () => ({}) }, "plugins[1].options.store: the function of store gave no limiter of rate-limiter-flexible"],
  [{ onStoreFailure: "panic" }, 'plugins[1].options.onStoreFailure: "memory" or "defer" is needed'],
  [{ replies: { messages: { code: 250, status: "2.0.0", text: "Fine" } } }, "plugins[1].options.replies.messages.code: a refusal is 4yz or 5yz"],
  [{ replies: { messages: { code: 450, status: "5.7.1", text: "No" } } }, "plugins[1].options.replies.messages: status 5.7.1 does not agree with code 450"],
  [{ replies: { messages: { code: 450, status: "4.7.1", text: "No\r\n250 Ok" } } }, 'plugins[1].options.replies.messages: text "No\\r\\n250 Ok" holds octets that are not printable ASCII'],
])("%j", async (options, problem) => {
  expect(await problems(options)).toEqual([problem]);
}); // prettier-ignore

test("all that is wrong is said at once", async () => {
  expect(await problems({ keys: 1, messages: { address: { points: 1 } }, exempt: ["x"] })).toHaveLength(3);
});

test("nothing has to be said, and an undefined says nothing", async () => {
  expect(await problems({})).toEqual([]);
  expect(
    await problems({ concurrency: { address: undefined }, tarpit: { most: undefined }, connections: undefined }),
  ).toEqual([]);
});

test("limits check no passwords: AUTH that nobody checks is an error with them too", async () => {
  const mechanism = definePlugin({
    name: "mechanism",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (server) =>
      server.extend({ mechanisms: [{ name: "XNONE", start: () => ({ refuse: replies.badCredentials }) }] }),
  });
  await expect(host({ plugins: [sink(), limits(), mechanism()] })).rejects.toThrow("no plugin checks");
});
