import type { SecureContext } from "node:tls";
import {
  type Command,
  ConfigurationError,
  type Context,
  type Host,
  type Outcome,
  type Problem,
  type Reply,
  type Step,
  type Upgrade,
  definePlugin,
  last,
  nobody,
  replies,
  tlsUpgrade,
} from "@mailhost/core";
import * as v from "valibot";
import { Certificate, type CertificateFiles, type TlsVersion } from "./certificate.ts";
import { certificateName, findByName } from "./names.ts";
import { selfSignedContext } from "./self-signed.ts";

export type { CertificateFiles, TlsVersion } from "./certificate.ts";

/** Either `cert` and `key`, or `selfSigned`. Paths are read from the working directory. */
export interface StarttlsOptions {
  /** Path of the certificate and its chain, PEM. */
  readonly cert?: string | undefined;
  /** Path of its private key, PEM, not encrypted. */
  readonly key?: string | undefined;
  /** Other certificates, by the name the client asks for: `mail.example.com`, `*.example.com`. */
  readonly sni?: Readonly<Record<string, CertificateFiles>> | undefined;
  /** Oldest version of TLS that is spoken; TLSv1.2 unless told otherwise. */
  readonly minVersion?: TlsVersion | undefined;
  /** Nothing but EHLO, HELO, NOOP, STARTTLS and QUIT in clear. */
  readonly requireTls?: boolean | undefined;
  /** A certificate made at start, for development: nobody else vouches for it. */
  readonly selfSigned?: boolean | undefined;
}

const path = v.pipe(v.string(), v.nonEmpty("a path is needed"));
const name = v.pipe(
  v.string(),
  v.check((text) => certificateName(text) !== undefined, "names are host names or *.domain"),
);
const schema = v.strictObject({
  cert: v.optional(path),
  key: v.optional(path),
  sni: v.optional(v.record(name, v.strictObject({ cert: path, key: path }))),
  minVersion: v.optional(v.picklist(["TLSv1.2", "TLSv1.3"])),
  requireTls: v.optional(v.boolean()),
  selfSigned: v.optional(v.boolean()),
});

// RFC 3207 §4
const ready: Reply = { code: 220, status: "2.0.0", text: "Ready to start TLS" };
const alreadySecure: Reply = { code: 503, status: "5.5.1", text: "TLS is already there" };
const needsTls: Reply = { code: 530, status: "5.7.0", text: "Must issue a STARTTLS command first" };

/** RFC 3207 §4: what one may say in clear where TLS is required. HELO, so that old clients read why. */
const verbsInClear = new Set(["EHLO", "HELO", "NOOP", "STARTTLS", "QUIT"]);

/** TLS for a listener: STARTTLS (RFC 3207), or from the first octet where the listener says so (RFC 8314 §3). */
export const starttls = definePlugin<StarttlsOptions>({
  name: "starttls",
  version: "1.0.0",
  core: "^1.0.0",
  options: { schema, keys: Object.keys(schema.entries) },
  async apply(host, options) {
    const upgrade = await makeUpgrade(host, options);
    if (host.listener.implicitTls) return host.extend({ preamble: { kind: "upgrade", upgrade } });
    host.extend({
      keywords: { STARTTLS: (session) => (session.tls === undefined ? "" : undefined) },
      verbs: { STARTTLS: startTls(upgrade) },
      ...(options.requireTls === true
        ? { gate: (verb, { tls }) => (tls === undefined && !verbsInClear.has(verb) ? needsTls : undefined) }
        : {}),
    });
  },
});

export default starttls;

/** Not within a transaction: RFC 3207 §4.2 would have to forget half of it. */
const startTls = (upgrade: Upgrade): Command =>
  last(
    ["ready"],
    (argument): Outcome<undefined> => (argument === "" ? { value: undefined } : { problem: replies.noArgument }),
    nobody,
    (state, _argument, { session }: Context): Step =>
      session.tls === undefined ? { go: "upgrade", reply: ready, upgrade } : { go: "on", reply: alreadySecure, state },
  );

async function makeUpgrade(host: Host, options: StarttlsOptions): Promise<Upgrade> {
  const files = defaultFiles(options);
  const problems: Problem[] = [];
  const byName = new Map<string, { readonly context: SecureContext }>();
  for (const [asked, its] of Object.entries(options.sni ?? {})) {
    const certificate = await open(host, its, options, `options.sni[${JSON.stringify(asked)}]`, problems);
    // The schema let only names pass
    byName.set(certificateName(asked) ?? asked, certificate);
  }
  const fallback =
    files === undefined ? await selfSigned(host, options) : await open(host, files, options, "options", problems);
  if (problems.length > 0) throw new ConfigurationError(problems);
  // Whoever has one certificate need not ask for the name: each handshake would stop for it
  if (byName.size === 0) return tlsUpgrade(() => ({ secureContext: fallback.context }));
  return tlsUpgrade(() => ({
    secureContext: fallback.context,
    SNICallback: (asked, done) => done(null, findByName(byName, asked)?.context),
  }));
}

/** Undefined for a self-signed one. Throws when the options name neither, both or half. */
function defaultFiles({ cert, key, selfSigned: self = false }: StarttlsOptions): CertificateFiles | undefined {
  if (self && (cert !== undefined || key !== undefined))
    throw misconfigured(
      "options.selfSigned",
      "starttls has a certificate and makes one too",
      "Drop selfSigned, or cert and key.",
    );
  if (self) return undefined;
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert !== undefined)
    throw misconfigured("options.key", "starttls has a certificate and no key", "Name its key file.");
  if (key !== undefined)
    throw misconfigured("options.cert", "starttls has a key and no certificate", "Name its certificate file.");
  throw misconfigured(
    "options",
    "starttls has no certificate",
    "Set cert and key to PEM files, or selfSigned: true for development.",
  );
}

const misconfigured = (where: string, what: string, mend: string): ConfigurationError =>
  new ConfigurationError([{ code: "BAD_OPTION", where, what, mend }]);

/** The same files are one certificate on every listener: one context, one look at the disk. */
async function open(
  host: Host,
  files: CertificateFiles,
  { minVersion = "TLSv1.2" }: StarttlsOptions,
  where: string,
  problems: Problem[],
): Promise<Certificate> {
  const certificate = await host.shared(
    JSON.stringify([files.cert, files.key, minVersion]),
    () => new Certificate(files, minVersion, host),
    (one) => one.close(),
  );
  const wrong = await certificate.refresh();
  if (wrong.length === 0) certificate.watch();
  problems.push(
    ...wrong.map(({ file, what, mend }): Problem => ({ code: "BAD_FILE", where: `${where}.${file}`, what, mend })),
  );
  return certificate;
}

async function selfSigned(
  host: Host,
  { minVersion = "TLSv1.2" }: StarttlsOptions,
): Promise<{ readonly context: SecureContext }> {
  const { name: listener, serverName } = host.listener;
  host.log.warn(
    { listener },
    `listener ${listener} has a self-signed certificate: for development only, no client can trust it`,
  );
  const context = await host.shared(JSON.stringify(["self-signed", serverName, minVersion]), () =>
    selfSignedContext(serverName, minVersion),
  );
  return { context };
}
