import { chmodSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generate } from "selfsigned";
import { X509Certificate } from "node:crypto";
import { Command, type Form, serverFolder } from "../support/command.ts";

/** What a look at the server gave: octets, but for the descriptors. */
export interface Sample {
  /** Seconds since the start. */
  readonly at: number;
  /** What a collection leaves of the heap and of buffers. */
  readonly heap: number;
  readonly resident: number;
  readonly descriptors: number;
}

interface Pair {
  readonly cert: string;
  readonly key: string;
}

export const password = "correct horse";
/** Of that password, at the least cost there is: the soak is no test of patience. */
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
    const node = ["--expose-gc", "--import", new URL("gauge.mjs", import.meta.url).href];
    this.command = new Command(folder, { form, node, ipc: true });
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

  async sample(): Promise<Sample> {
    const { child, pid } = this.command;
    const answered = new Promise<NodeJS.MemoryUsage>((resolve) => {
      child.once("message", (usage) => resolve(usage as NodeJS.MemoryUsage)); // the gauge says nothing else
    });
    child.send("how");
    const { heapUsed, external } = await answered;
    const resident = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
    const descriptors = readdirSync(`/proc/${pid}/fd`).length;
    return { at: (performance.now() - this.#begun) / 1000, heap: heapUsed + external, resident, descriptors };
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
