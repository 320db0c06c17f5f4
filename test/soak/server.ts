import { chmodSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generate } from "selfsigned";
import { X509Certificate } from "node:crypto";
import { Command, type Form, serverFolder } from "../support/command.ts";
import { type Look, gauged, look, lookWhenSettled } from "./gauge.ts";

export interface Sample extends Look {
  /** Seconds since the start. */
  readonly at: number;
}

interface Pair {
  readonly cert: string;
  readonly key: string;
}

export const password = "correct horse";
/** Of that password, at the least cost there is. */
const users = "jane:$2b$04$NUq6ZBrXhvlCCQwEZU/VGuhE2yL49zVNPKYioBFG9K7LavrhS3QdK\n";

// JSON, since a module leaves its few kilobytes at each reload: Node unloads none
const configuration = (turn: number): string =>
  JSON.stringify({
    name: `mx-${turn}.example.com`,
    plugins: [
      ["starttls", { cert: "cert.pem", key: "key.pem" }],
      ["addressable", { domains: ["0.example.com", "1.example.com"] }],
      ["maildir", { root: "mail" }],
      // Plugins come and go with reloads
      ...(turn % 2 === 0 ? [] : [["debug-log", { text: false, ndjson: "dialogue", address: "nobody@example.com" }]]),
    ],
    default: { local: "maildir" },
    // On a machine that does other things a client may be late; it is no test of patience
    timeouts: { handshake: 120_000 },
    listeners: [
      { name: "transfer", host: "127.0.0.1", port: 0 },
      { name: "submission", host: "127.0.0.1", port: 0, mode: "submission", plugins: auth },
      { name: "submissions", host: "127.0.0.1", port: 0, mode: "submission", tls: "implicit", plugins: auth },
    ],
  });
const auth = [["auth-plain", { users: "users", failureDelay: 50 }]];

/** The server that is soaked: its configuration, its certificates, its memory. */
export class Soaked {
  readonly command: Command;
  readonly folder: string;
  /** All that it will ever show, PEM. */
  readonly certificates: readonly Pair[];
  reloads = 0;
  refusedReloads = 0;
  swaps = 0;
  readonly #begun = performance.now();

  private constructor(folder: string, certificates: readonly Pair[], form: Form) {
    this.folder = folder;
    this.certificates = certificates;
    this.#show(0);
    this.command = new Command(folder, { form, ...gauged });
  }

  static async start(form: Form, certificates: number): Promise<Soaked> {
    const folder = serverFolder("soak", { "mailhost.config.json": configuration(0), users });
    chmodSync(join(folder, "users"), 0o600);
    const made = Array.from({ length: certificates }, (_, at) => makePair(at));
    const soaked = new Soaked(folder, await Promise.all(made), form);
    await soaked.command.listens(3);
    return soaked;
  }

  get fingerprints(): string[] {
    return this.certificates.map(({ cert }) => new X509Certificate(cert).fingerprint256);
  }

  /** The next configuration, by SIGHUP. */
  async reload(): Promise<void> {
    this.reloads += 1;
    await this.#readAgain(configuration(this.reloads), "configuration reloaded");
  }

  /** A configuration that is wrong changes nothing. */
  async reloadWrong(): Promise<void> {
    this.refusedReloads += 1;
    const wrong = configuration(this.reloads).replace('"root"', '"rot"');
    await this.#readAgain(wrong, "configuration not reloaded");
  }

  async #readAgain(text: string, answer: string): Promise<void> {
    writeFileSync(join(this.folder, "mailhost.config.json"), text);
    const answered = this.command.next(({ msg }) => msg.startsWith("configuration "));
    this.command.kill("SIGHUP");
    const { msg } = await answered;
    if (!msg.startsWith(answer)) throw new Error(msg);
  }

  /** Another certificate in place of the one on disk, as a renewal does it. */
  swap(): void {
    this.swaps += 1;
    this.#show(this.swaps % this.certificates.length);
  }

  #show(index: number): void {
    for (const file of ["key", "cert"] as const) {
      const path = join(this.folder, `${file}.pem`);
      writeFileSync(`${path}.new`, this.certificates[index]?.[file] ?? "");
      renameSync(`${path}.new`, path);
    }
  }

  /** `settled`: nobody is there, and what lingers is gone. */
  async sample(settled = false): Promise<Sample> {
    const seen = await (settled ? lookWhenSettled : look)(this.command);
    return { at: (performance.now() - this.#begun) / 1000, ...seen };
  }

  /** Drains it. Gives its exit code. */
  async close(): Promise<number | null> {
    this.command.kill("SIGTERM");
    const { code } = await this.command.ended;
    rmSync(this.folder, { recursive: true, force: true });
    return code;
  }
}

/** Whoever trusts several finds the right one by its subject. */
async function makePair(number: number): Promise<Pair> {
  const made = await generate([{ name: "commonName", value: `localhost ${number}` }], {
    keyType: "ec",
    curve: "P-256",
    extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] }],
  });
  return { cert: made.cert, key: made.private };
}
