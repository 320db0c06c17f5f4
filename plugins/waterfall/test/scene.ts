import {
  type MessageView,
  type Opinion,
  type Placement,
  type Recipient,
  type Session,
  type Step,
  definePlugin,
  last,
  nobody,
  tlsUpgrade,
} from "@mailhost/core";
import { type Client, type HostOptions, type TestHost, host } from "@mailhost/testkit";
import { afterEach } from "vitest";
import { type Waterfall, type WaterfallOptions, waterfall } from "../src/index.ts";

interface Acts {
  readonly connect?: (session: Session) => Opinion;
  readonly rcpt?: (recipient: Recipient) => Opinion;
  readonly slowly?: (recipient: Recipient) => Promise<Opinion>;
  readonly data?: (message: MessageView) => Promise<Opinion>;
}

/** A plugin that does in each hook what the test says. */
export const judge = definePlugin<Acts>({
  name: "judge",
  version: "3.1.4",
  core: "^1.0.0",
  apply(host, { connect, rcpt, slowly, data }) {
    if (connect !== undefined) host.hooks.connect.tap("judge", connect);
    if (rcpt !== undefined) host.hooks.rcpt.tap("judge", rcpt);
    if (slowly !== undefined) host.hooks.rcpt.tapPromise({ name: "slowly", deadline: 5000 }, slowly);
    if (data !== undefined) host.hooks.data.tapPromise("stamp", data);
  },
});

/** Records are kept in a list, and written nowhere. */
export function collecting(options: WaterfallOptions = {}, placement: Placement = {}) {
  const told: Waterfall[] = [];
  const plugin = waterfall({ log: false, spans: false, ...options, on: (one) => void told.push(one) }, placement);
  return { plugin, told };
}

const upgrade = (): Step => ({
  go: "upgrade",
  reply: { code: 220, status: "2.0.0", text: "Go ahead" },
  upgrade: tlsUpgrade(() => ({})),
});

/** STARTTLS on a wire in memory, where every handshake succeeds. */
export const startTls = definePlugin({
  name: "start-tls",
  version: "1.0.0",
  core: "^1.0.0",
  apply: (host) => host.extend({ verbs: { STARTTLS: last(["ready"], () => ({ value: undefined }), nobody, upgrade) } }),
});

const serving = new Set<TestHost>();
afterEach(async () => {
  for (const server of serving) await server.close();
  serving.clear();
});

/** A server in memory that is closed behind the test. */
export async function serve(options: HostOptions): Promise<TestHost> {
  const server = await host(options);
  serving.add(server);
  return server;
}

/** Says hello, and waits for the answer. */
export async function hello(speaker: Client): Promise<Client> {
  await speaker.reply();
  await speaker.ask("EHLO client.test");
  return speaker;
}

/** Waits until something holds that comes a few turns later. */
export async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !holds(); turn += 1) await new Promise((resolve) => setImmediate(resolve));
  if (!holds()) throw new Error("it never came to that");
}
