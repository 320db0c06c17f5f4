import { rmSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { RawClient } from "../kill/client.ts";
import { Command, serverFolder } from "../support/command.ts";

/** Hangs wherever the local part of a recipient says so; with `close`, when it is to close, and with `apply`, at once. */
const stuck = `
import { definePlugin } from "@mailhost/core";
const hang = (if_) => (if_ ? new Promise(() => {}) : undefined);
const isFor = (recipients, name) => recipients.some(({ address }) => address.localPart === name);
export default definePlugin({
  name: "stuck", version: "1.0.0", core: "^1.0.0",
  async apply(host, { close, apply }) {
    if (apply) await hang(true);
    host.extend({ transports: [{ kind: "local", phases: "two" }] });
    host.hooks.rcpt.tapPromise("stuck", async ({ address }) => hang(address.localPart === "rcpt"));
    host.hooks.rcpt.tap("route", (recipient) => {
      if (recipient.address.localPart === "commit") recipient.routeTo({ transport: "stuck" });
    });
    host.hooks.data.tapPromise("stuck", async (_, { recipients }) => hang(isFor(recipients, "data")));
    host.hooks.queue.for("maildir").tapPromise("stuck", async ({ recipients }) => hang(isFor(recipients, "queue")));
    host.hooks.queue.for("stuck").tap("stuck", (delivery) =>
      delivery.stage({ commit: () => hang(true), abort() {} }));
    host.onClose(() => hang(close));
  },
});
`;

export interface Wanted {
  readonly drain: number;
  readonly workers?: number;
  /** Options of the plugin that gets stuck. */
  readonly stuck?: { readonly close?: true; readonly apply?: true };
}

export const configuration = ({ drain, stuck = {} }: Wanted): string =>
  JSON.stringify({
    name: "mx.example.com",
    timeouts: { drain },
    plugins: [
      ["starttls", { selfSigned: true }],
      ["addressable", { domains: ["example.com"] }],
      ["maildir", { root: "mail" }],
      ["./stuck.mjs", stuck],
    ],
    default: { local: "maildir" },
    listeners: [
      { name: "mx", host: "127.0.0.1", port: 0 },
      { name: "secure", host: "127.0.0.1", port: 0, tls: "implicit" },
    ],
  });

export interface House {
  readonly folder: string;
  readonly command: Command;
  readonly port: number;
  readonly securePort: number;
}

const form = process.env["DRAIN"] === "built" ? "built" : "source";

/** The real command, not yet listening. It and its folder are gone after the test. */
export function start(wanted: Wanted): { folder: string; command: Command } {
  const folder = serverFolder("drain", { "mailhost.config.json": configuration(wanted), "stuck.mjs": stuck });
  const args = wanted.workers === undefined ? [] : ["--workers", String(wanted.workers)];
  const command = new Command(folder, { form, args });
  onTestFinished(async () => {
    command.kill("SIGKILL");
    await command.ended;
    rmSync(folder, { recursive: true, force: true });
  });
  return { folder, command };
}

export async function open(wanted: Wanted): Promise<House> {
  const { folder, command } = start(wanted);
  if (wanted.workers === undefined) await command.listens(2);
  else await command.next(({ msg }) => msg === "workers listen");
  const [port = 0, securePort = 0] = command.ports;
  return { folder, command, port, securePort };
}

/** Somebody who has greeted. */
export async function caller(port: number): Promise<RawClient> {
  const client = new RawClient(port);
  onTestFinished(() => client.leave());
  await client.greet();
  return client;
}

/** Has said everything up to DATA and was told to go on. */
export async function amidData(port: number, recipient: string): Promise<RawClient> {
  const client = await caller(port);
  await client.ask("MAIL FROM:<joe@client.test>", "250");
  await client.ask(`RCPT TO:<${recipient}@example.com>`, "250");
  await client.ask("DATA", "354");
  return client;
}

export interface Heard {
  readonly reply: string;
  /** Milliseconds from `from`. */
  readonly at: number;
}

export async function hearing(client: RawClient, from: number): Promise<Heard> {
  const reply = await client.reply();
  return { reply: reply.trim(), at: performance.now() - from };
}

/** Milliseconds from `from` until nobody accepts any more. */
export async function refusal(port: number, from: number): Promise<number> {
  while ((await attempt(port)) !== "ECONNREFUSED") await sleep(1);
  return performance.now() - from;
}

/** What becomes of a connection. */
export function attempt(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      resolve("connected");
      socket.destroy();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}
