import { createServer } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Log, type Plugin, definePlugin } from "@mailhost/core";
import { type Client, type ClientOptions, TestClock, client } from "@mailhost/testkit";
import { onTestFinished } from "vitest";
import { type WebhookEnvelope, type WebhookOptions, webhook } from "../src/index.ts";

/** A request an endpoint got. */
export interface Got {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Answers the request with that number, from 0. */
export type Answer = (response: ServerResponse, number: number, got: Got) => void;

export const status =
  (...codes: readonly number[]): Answer =>
  (response, number) =>
    void response.writeHead(codes[Math.min(number, codes.length - 1)] ?? 200).end();

export const json =
  (code: number, body: unknown, type = "application/json"): Answer =>
  (response) =>
    void response.writeHead(code, { "content-type": type }).end(JSON.stringify(body));

/** An HTTP server on 127.0.0.1 for one test. */
export class Endpoint {
  readonly got: Got[] = [];
  /** Connections that were made. */
  connections = 0;
  /** Requests that were begun and are not answered. */
  busy = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", () => (this.connections += 1));
  }

  static async open(
    answer: Answer = status(200),
    make: (listener: RequestListener) => Server = createServer,
  ): Promise<Endpoint> {
    const server = make((request, response) => {
      endpoint.busy += 1;
      response.on("close", () => (endpoint.busy -= 1));
      void endpoint.#take(request, response, answer);
    });
    const endpoint = new Endpoint(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => endpoint.close());
    return endpoint;
  }

  get port(): number {
    const address = this.#server.address();
    return (address as AddressInfo).port; // it listens on TCP
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/mail?token=t0p-s3cr3t`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Cuts the connections that are kept. */
  cut(): void {
    this.#server.closeIdleConnections();
  }

  /** Waits until so many requests have come in whole. */
  seen(requests: number): Promise<void> {
    return until(() => this.got.length >= requests);
  }

  async #take(request: IncomingMessage, response: ServerResponse, answer: Answer): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // the client went
    }
    const got = { headers: request.headers, body: Buffer.concat(chunks) };
    this.got.push(got);
    answer(response, this.got.length - 1, got);
  }
}

export async function until(holds: () => boolean): Promise<void> {
  for (let turns = 0; !holds(); turns += 1) {
    if (turns > 2000) throw new Error("it never came to that");
    await sleep(5);
  }
}

/** Permits everybody, and routes to `transport`, with the local part behind `+` as nexthop. */
export const everybody = (transport = "webhook"): Plugin =>
  definePlugin({
    name: "everybody",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (host) =>
      host.hooks.rcpt.tap("everybody", (recipient) => {
        recipient.permit("local");
        const nexthop = recipient.address.localPart.split("+")[1];
        recipient.routeTo(nexthop === undefined ? { transport } : { transport, nexthop });
      }),
  })();

/** A log that remembers. */
export function memoryLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push(`${level}: ${message} ${JSON.stringify(fields)}`);
  return { log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") }, lines };
}

export const options = (webhookOptions: WebhookOptions, more: Partial<ClientOptions> = {}): ClientOptions => ({
  log: memoryLog().log,
  ...more,
  plugins: [everybody(), webhook(webhookOptions), ...(more.plugins ?? [])],
});

export const mail = ["From: Jane <jane@example.com>", "Message-ID: <1@client.test>", "Subject: Hello", "", "Hi Joe!"];

export interface Mail {
  readonly from?: string;
  readonly to?: readonly string[];
  readonly lines?: readonly string[];
  readonly parameters?: string;
}

const greeted = new WeakSet<Client>();

/** Greets and sends a message up to the dot; the reply to it is yet to be read. */
export async function hand(
  speaker: Client,
  { from = "jane@example.com", to = ["joe@example.com"], lines = mail, parameters = "" }: Mail = {},
): Promise<void> {
  if (!greeted.has(speaker)) {
    greeted.add(speaker);
    await speaker.reply();
    await speaker.ask("EHLO client.test");
  }
  for (const line of [`MAIL FROM:<${from}>${parameters}`, ...to.map((address) => `RCPT TO:<${address}>`)]) {
    const [reply = ""] = await speaker.ask(line);
    if (!reply.startsWith("250")) throw new Error(`${line}: ${reply}`);
  }
  await speaker.ask("DATA");
  speaker.send(lines.join("\r\n"));
  speaker.send(".");
}

/** The reply a message gets from a server with this hook; time moves while nobody is at work. */
export async function replyTo(
  webhookOptions: WebhookOptions,
  endpoint: Endpoint,
  more: Partial<ClientOptions> = {},
  message: Mail = {},
): Promise<string> {
  const clock = new TestClock();
  const speaker = await client({ ...options(webhookOptions, more), clock, patience: 10_000 });
  try {
    await hand(speaker, message);
    const said = speaker.reply();
    let over = false;
    void said.finally(() => (over = true)).catch(() => undefined);
    while (!over) {
      if (endpoint.busy === 0) clock.advance(50);
      await sleep(2);
    }
    return (await said).join("\n");
  } finally {
    await speaker.close();
  }
}

/** The parts of a raw request, read as any endpoint would. */
export async function partsOf({ headers, body }: Got): Promise<{ envelope: WebhookEnvelope; message: Buffer }> {
  const type = headers["content-type"] ?? "";
  const form = await new Response(Uint8Array.from(body), { headers: { "content-type": type } }).formData();
  const [envelope, message] = [form.get("envelope"), form.get("message")];
  if (message === null || typeof message === "string") throw new Error("no message");
  const text = typeof envelope === "string" ? envelope : await envelope?.text();
  return { envelope: JSON.parse(text ?? ""), message: Buffer.from(await message.arrayBuffer()) };
}
