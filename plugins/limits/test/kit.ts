import { type Client, type HostOptions, type SpeakerOptions, type TestHost, host, sink } from "@mailhost/testkit";
import { expect, onTestFinished } from "vitest";
import { type LimitsOptions, limits } from "../src/index.ts";
import { login, password } from "./login.ts";

/** No limit at all, for tests that set one. */
export const off = {
  concurrency: { address: false, network: false, identity: false },
  connections: { address: false, network: false },
  authFailures: { address: false, network: false },
  tarpit: false,
} as const satisfies LimitsOptions;

/** A server with nothing on but what a test sets. */
export async function serve(options: LimitsOptions, more: Partial<HostOptions> = {}): Promise<TestHost> {
  const server = await host({ plugins: [login(), sink(), limits({ ...off, ...options })], ...more });
  onTestFinished(() => server.close());
  return server;
}

/** A client that has read the banner, or what came in its place. */
export async function call(server: TestHost, client = "192.0.2.1", more: SpeakerOptions = {}) {
  const speaker = server.client({ client, ...more });
  const [said = ""] = await speaker.reply();
  return { speaker, banner: said };
}

export const banner = async (server: TestHost, client?: string): Promise<string> => (await call(server, client)).banner;

export const welcome = "220 mx.example.com ESMTP";

/** A client that has said EHLO, and has logged in when it has a name. */
export async function greeted(server: TestHost, client?: string, name?: string): Promise<Client> {
  const { speaker } = await call(server, client);
  await speaker.ask("EHLO client.test");
  if (name !== undefined)
    expect(await speaker.ask(`AUTH XWORD ${password(name)}`)).toEqual([expect.stringMatching(/^235 /)]);
  return speaker;
}
