import { X509Certificate, constants, createPrivateKey } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { type SecureContext, createSecureContext } from "node:tls";
import type { Clock, Log } from "@mailhost/core";
import { describeError } from "@mailhost/core";

/** A certificate with its chain, and its private key: paths of PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** RFC 8996: nothing below 1.2. */
export type TlsVersion = "TLSv1.2" | "TLSv1.3";

/** What is wrong with a file, and how to mend it. */
export interface FileProblem {
  readonly file: keyof CertificateFiles;
  readonly what: string;
  readonly mend: string;
}

/** How often the files are looked at, in milliseconds. Renewal leaves days; symbolic links rule `fs.watch` out. */
export const pollMilliseconds = 5000;

/** Chains are a few kilobytes: what is longer is no certificate. */
const mostOctets = 1024 * 1024;

/** One SecureContext per certificate: tickets of one connection are good on the next (RFC 5077, RFC 8446 §2.2). */
export function makeContext(cert: string | Buffer, key: string | Buffer, minVersion: TlsVersion): SecureContext {
  return createSecureContext({
    cert,
    key,
    minVersion,
    honorCipherOrder: true,
    // A client could make us compute handshakes without end
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  });
}

/** A certificate that follows its files. A broken pair never takes the place of a working one. */
export class Certificate {
  readonly #files: CertificateFiles;
  readonly #minVersion: TlsVersion;
  readonly #clock: Clock;
  readonly #log: Log;
  #context: SecureContext | undefined;
  #loaded = "";
  #suspect = "";
  #complained = "";
  #refreshing: Promise<readonly FileProblem[]> | undefined;
  #unpoll: (() => void) | undefined;
  #closed = false;

  constructor(files: CertificateFiles, minVersion: TlsVersion, { clock, log }: { clock: Clock; log: Log }) {
    this.#files = files;
    this.#minVersion = minVersion;
    this.#clock = clock;
    this.#log = log;
  }

  /** Throws before the first `refresh` that went well. */
  get context(): SecureContext {
    if (this.#context === undefined) throw new Error(`${this.#files.cert} is not loaded`);
    return this.#context;
  }

  /** Loads the files if they are not those in force. Resolves to what is wrong with them; then the old pair stays. */
  refresh(): Promise<readonly FileProblem[]> {
    this.#refreshing ??= this.#load().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  /** Looks at the files from time to time until `close`. */
  watch(): void {
    if (this.#closed || this.#unpoll !== undefined) return;
    this.#unpoll = this.#clock.after(pollMilliseconds, () => void this.#poll());
  }

  close(): void {
    this.#closed = true;
    this.#unpoll?.();
  }

  async #poll(): Promise<void> {
    const [problem] = await this.refresh();
    if (problem === undefined) this.#suspect = this.#complained = "";
    else this.#complain(problem);
    this.#unpoll = undefined;
    this.watch();
  }

  /** Between the writing of one file and of the other nothing is wrong yet: the second look complains, once. */
  #complain({ what, mend }: FileProblem): void {
    const settled = this.#suspect === what;
    this.#suspect = what;
    if (!settled || this.#complained === what) return;
    this.#complained = what;
    const { cert, key } = this.#files;
    this.#log.error({ cert, key }, `new certificate not taken, the old one stays: ${what}. ${mend}`);
  }

  async #load(): Promise<readonly FileProblem[]> {
    // Taken before reading: what is written meanwhile makes another fingerprint
    const fingerprint = await fingerprintOf(this.#files);
    if (this.#context !== undefined && fingerprint === this.#loaded) return [];
    const pair = await readPair(this.#files);
    if ("problems" in pair) return pair.problems;
    try {
      this.#context = makeContext(pair.cert, pair.key, this.#minVersion);
    } catch (error) {
      const what = `${this.#files.cert} cannot be used: ${describeError(error)}`;
      return [{ file: "cert", what, mend: "Renew it with a key of today's length." }];
    }
    this.#inForce(fingerprint, pair.cert);
    return [];
  }

  #inForce(fingerprint: string, pem: Buffer): void {
    const { cert } = this.#files;
    const { subjectAltName, validFrom, validTo } = new X509Certificate(pem);
    if (this.#loaded !== "") this.#log.info({ cert, names: subjectAltName, validTo }, `new certificate from ${cert}`);
    this.#loaded = fingerprint;
    const now = this.#clock.now();
    if (Date.parse(validTo) < now) this.#log.warn({ cert, validTo }, `certificate ${cert} expired ${validTo}`);
    if (Date.parse(validFrom) > now)
      this.#log.warn({ cert, validFrom }, `certificate ${cert} is not valid before ${validFrom}`);
  }
}

async function fingerprintOf({ cert, key }: CertificateFiles): Promise<string> {
  const seen = await Promise.all(
    [cert, key].map((path) =>
      stat(path, { bigint: true }).then(
        ({ ino, size, mtimeNs, ctimeNs }) => [ino, size, mtimeNs, ctimeNs].join(),
        describeError,
      ),
    ),
  );
  return seen.join(" ");
}

async function readPair(
  files: CertificateFiles,
): Promise<{ cert: Buffer; key: Buffer } | { problems: readonly FileProblem[] }> {
  const cert = await read(files.cert, "cert");
  const key = await read(files.key, "key");
  if ("what" in cert) return { problems: "what" in key ? [cert, key] : [cert] };
  if ("what" in key) return { problems: [key] };
  const problem = checkPair(files, cert, key);
  return problem === undefined ? { cert, key } : { problems: [problem] };
}

function checkPair(files: CertificateFiles, cert: Buffer, key: Buffer): FileProblem | undefined {
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(cert);
  } catch {
    const mend = "It must hold the certificate and its chain as PEM, the server's own first.";
    return { file: "cert", what: `${files.cert} holds no certificate`, mend };
  }
  try {
    if (leaf.checkPrivateKey(createPrivateKey(key))) return undefined;
  } catch {
    const [what, mend] = key.includes("ENCRYPTED")
      ? ["is encrypted", `Decrypt it with openssl pkey -in ${files.key} -out plain.key, and name that.`]
      : ["holds no private key", "It must hold the private key as PEM."];
    return { file: "key", what: `${files.key} ${what}`, mend };
  }
  return {
    file: "key",
    what: `the key ${files.key} does not belong to the certificate ${files.cert}`,
    mend: "Name both files of one certificate; in the certificate file the server's own comes first.",
  };
}

async function read(path: string, file: keyof CertificateFiles): Promise<Buffer | FileProblem> {
  try {
    const found = await stat(path);
    if (found.isFile() && found.size <= mostOctets) return await readFile(path);
    return { file, what: `${path} is no ${file === "cert" ? "certificate" : "key"} file`, mend: "Name a PEM file." };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR")
      return { file, what: `${path} does not exist`, mend: `Correct the path; it is read from ${process.cwd()}.` };
    if (code === "EACCES")
      return {
        file,
        what: `${path} may not be read`,
        mend: "Let the user that runs the server read it and its folder.",
      };
    return { file, what: `${path} cannot be read: ${describeError(error)}`, mend: "See the error." };
  }
}
