// The servers mailhost is held beside: those of this folder, and smtp-server and Haraka from npm (installed into
// bench/.peers on first use). `secure`: with STARTTLS and AUTH PLAIN, as the mission has them.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { certificateIn } from "./certificate.mts";
import { type Peer, freePort, node, program, remove, temporary, versionOf } from "./start.mts";

const installed = join(import.meta.dirname, "../.peers");
const wanted = ["smtp-server@3.21.6", "Haraka@3.3.4"];

function install(): void {
  if (existsSync(join(installed, "node_modules/Haraka"))) return;
  mkdirSync(installed, { recursive: true });
  writeFileSync(join(installed, "package.json"), '{ "private": true }\n');
  // `npm run` hands this repository's engine-strict on, which is not theirs
  const args = ["install", "--no-audit", "--no-fund", "--engine-strict=false", ...wanted];
  execFileSync("npm", args, { cwd: installed, stdio: "ignore" });
}

export interface How {
  readonly args?: readonly string[];
  readonly execArgv?: readonly string[];
}

export const startLimit = ({ execArgv = [] }: How = {}): Promise<Peer> =>
  node("limit", "", "serve-limit.mjs", { execArgv });

/** The same with a Maildir: file, name and folder are on the disk before it answers. */
export function startSyncedLimit(): Promise<Peer> {
  const folder = temporary("synced");
  for (const name of ["tmp", "new"]) mkdirSync(join(folder, name));
  return node("synced limit", "", "serve-limit.mjs", { args: [folder], folder, newMail: join(folder, "new") });
}

const ours = join(import.meta.dirname, "../../core/package.json");

/** What `npm run build` made, as users run it. `dress`: bare, mission, trace, maildir or journal. */
export function startMailhost(dress: string, { args = [], execArgv = [] }: How = {}): Promise<Peer> {
  const folder = temporary(dress);
  return node(`mailhost ${dress}`, versionOf(ours), "serve-mailhost.mjs", {
    args: [dress, folder, ...args],
    execArgv,
    folder,
    ...(["maildir", "journal"].includes(dress) ? { newMail: join(folder, "example.com/u0/new") } : {}),
  });
}

export async function startSmtpServer({ secure = false } = {}): Promise<Peer> {
  install();
  const version = versionOf(join(installed, "node_modules/smtp-server/package.json"));
  const folder = temporary("smtp-server");
  const { cert, key } = await certificateIn(folder);
  const args = [installed, ...(secure ? [cert, key] : [])];
  return node("smtp-server", version, "serve-smtp-server.cjs", { args, folder });
}

export async function startHaraka({ secure = false } = {}): Promise<Peer> {
  install();
  const its = join(installed, "node_modules/Haraka");
  const folder = temporary("haraka");
  const port = await freePort();
  const config = join(folder, "config");
  cpSync(join(its, "config"), config, { recursive: true });
  const configure = (file: string, text: string) => writeFileSync(join(config, file), text);
  configure("plugins", `${secure ? "tls\nauth/flat_file\n" : ""}rcpt_to.in_host_list\nqueue/discard\n`);
  configure("auth_flat_file.ini", "[core]\nmethods=PLAIN\nconstrain_sender=false\n\n[users]\nuser=secret\n");
  configure("host_list", "example.com\n");
  configure("smtp.ini", `listen=127.0.0.1:${port}\nnodes=0\n`);
  configure("me", "mx.example.com\n");
  configure("log.ini", "[main]\nlevel=error\n");
  await certificateIn(config);
  mkdirSync(join(folder, "queue"));
  return program(
    { name: "Haraka", version: versionOf(join(its, "package.json")), port },
    [process.execPath, join(its, "bin/haraka"), "-c", folder],
    { folder, env: { ...process.env, YES_REALLY_DO_DISCARD: "1" } },
  ).catch((problem: unknown) => {
    remove(folder);
    throw problem;
  });
}
