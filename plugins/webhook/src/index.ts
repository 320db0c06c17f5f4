import { readFile } from "node:fs/promises";
import { X509Certificate } from "node:crypto";
import { ConfigurationError, type Host, type ProblemCode, definePlugin, describeError } from "@mailhost/core";
import { type Endpoint, handOver } from "./call.ts";
import { Lane } from "./lane.ts";
import { type WebhookOptions, schema } from "./options.ts";
import { Parser } from "./parser.ts";
import { readSecrets } from "./signature.ts";
import { tooBig } from "./verdict.ts";

export type { WebhookBody, WebhookEnvelope } from "./content.ts";
export type { WebhookOptions } from "./options.ts";

/** POSTs messages to an HTTP endpoint. Its 2xx is the delivery: only then is the client told 250. */
export const webhook = definePlugin<WebhookOptions>({
  name: "webhook",
  version: "1.0.0",
  core: "^1.0.0",
  options: { schema, keys: Object.keys(schema.entries) },
  async apply(host, options) {
    const endpoint = await prepare(host, options);
    const { format = "raw", maxJsonOctets = 10 * 1024 * 1024 } = options;
    host.extend({ transports: [{ kind: "local", phases: "one" }] });
    if (format === "json")
      // What the client declares to be too big (RFC 1870 §6.1) need not be sent
      host.hooks.rcpt.tap({ name: host.name, stage: "last" }, ({ route }, { parameters }) =>
        route?.transport === host.name && Number(parameters.get("SIZE") ?? 0) > maxJsonOctets ? tooBig : undefined,
      );
    host.hooks.queue.for(host.name).tap(host.name, (delivery, session) => {
      if (format === "json" && delivery.message.octets > maxJsonOctets) return tooBig;
      delivery.stage({ commit: () => handOver(host, endpoint, delivery, session), abort: () => {} });
    });
  },
});

export default webhook;

async function prepare(host: Host, options: WebhookOptions): Promise<Endpoint> {
  const url = new URL(options.url);
  const { concurrency = 10, ca: path, timeout = 20_000, retries = 2, patience = 60_000 } = options;
  if (url.protocol === "http:" && options.allowInsecure !== true && !isLoopback(url.hostname))
    throw problem(
      "BAD_OPTION",
      "url",
      "http would send mail to another machine in clear",
      "Use https, or set allowInsecure.",
    );
  const ca = path === undefined ? undefined : await readCertificates(path);
  const key = JSON.stringify([url.origin, concurrency, ca]);
  return {
    url,
    lane: await host.shared(
      `lane ${key}`,
      () => new Lane(url, concurrency, ca),
      (lane) => lane.close(),
    ),
    parser:
      options.format === "json"
        ? await host.shared(
            "parser",
            () => new Parser(),
            (parser) => parser.close(),
          )
        : undefined,
    headers: options.headers ?? {},
    secrets: readSecrets(options.secret),
    timeout,
    retries,
    patience,
    // 406 is what Mailgun's endpoints say, 413 and 422 what HTTP has for a message that cannot be taken as it is
    rejects: options.reject ?? [406, 413, 422],
  };
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);

async function readCertificates(path: string): Promise<string> {
  try {
    const pem = await readFile(path, "utf8");
    new X509Certificate(pem).toString();
    return pem;
  } catch (error) {
    throw problem(
      "BAD_FILE",
      "ca",
      `${path} cannot be used: ${describeError(error)}`,
      "Name a PEM file with certificates.",
    );
  }
}

const problem = (code: ProblemCode, option: string, what: string, mend: string): ConfigurationError =>
  new ConfigurationError([{ code, where: `options.${option}`, what, mend }]);
