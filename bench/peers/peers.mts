// The servers mailhost is held beside, each started on a port of 127.0.0.1 in a folder of its own:
// smtp-server and Haraka from npm (installed into bench/.peers on first use), Debian's Postfix where it is installed.
import { type ChildProcess, execFileSync, fork, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface Peer {
  readonly name: string;
  readonly version: string;
  readonly port: number;
  /** The process under which all of its processes stand. */
  readonly pid: number;
  stop(): Promise<void>;
}

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

const versionOf = (path: string): string => String(JSON.parse(readFileSync(path, "utf8")).version);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Waits for a greeting: some of them bind their port long before they answer. */
async function greeted(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const said = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("data", (octets) => (socket.end("QUIT\r\n"), resolve(octets.toString("latin1").startsWith("220"))));
      socket.once("error", () => resolve(false));
      socket.once("close", () => resolve(false));
    });
    if (said) return;
    await sleep(100);
  }
  throw new Error(`nothing greets on port ${port}`);
}

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
};

async function node(name: string, version: string, script: string, args: string[], execArgv: string[]): Promise<Peer> {
  const child = fork(join(import.meta.dirname, script), args, { execArgv, stdio: ["ignore", "ignore", 2, "ipc"] });
  const port = await new Promise<number>((resolve, reject) => {
    child.once("message", (message) => resolve(Number(message)));
    child.once("exit", (code) => reject(new Error(`${name} ended with ${code}`)));
  });
  await greeted(port);
  return { name, version, port, pid: child.pid ?? 0, stop: () => ended(child) };
}

export const startLimit = (): Promise<Peer> => node("limit", "", "serve-limit.mjs", [], []);

/** Debian's smtp-sink; undefined where it is not installed. */
export async function startSmtpSink(): Promise<Peer | undefined> {
  if (!existsSync("/usr/sbin/smtp-sink")) return undefined;
  const port = await freePort();
  const child = spawn("/usr/sbin/smtp-sink", ["-c", "-u", "nobody", `127.0.0.1:${port}`, "1024"], { stdio: "ignore" });
  await greeted(port);
  const version = execFileSync("postconf", ["-h", "-d", "mail_version"], { encoding: "utf8" }).trim();
  return { name: "smtp-sink", version, port, pid: child.pid ?? 0, stop: () => ended(child) };
}

const ours = join(import.meta.dirname, "../../core/package.json");

/** What `npm run build` made, as users run it. `dress`: bare, mission, trace or maildir. */
export const startMailhost = (dress: string, args: string[] = []): Promise<Peer> =>
  node(`mailhost ${dress}`, versionOf(ours), "serve-mailhost.mts", [dress, ...args], ["--import", "tsx"]);

export function startSmtpServer(): Promise<Peer> {
  install();
  const version = versionOf(join(installed, "node_modules/smtp-server/package.json"));
  return node("smtp-server", version, "serve-smtp-server.cjs", [installed], []);
}

export async function startHaraka(): Promise<Peer> {
  install();
  const its = join(installed, "node_modules/Haraka");
  const folder = mkdtempSync(join(tmpdir(), "mailhost-haraka-"));
  const port = await freePort();
  cpSync(join(its, "config"), join(folder, "config"), { recursive: true });
  const configure = (file: string, text: string) => writeFileSync(join(folder, "config", file), text);
  configure("plugins", "rcpt_to.in_host_list\nqueue/discard\n");
  configure("host_list", "example.com\n");
  configure("smtp.ini", `listen=127.0.0.1:${port}\nnodes=0\n`);
  configure("me", "mx.example.com\n");
  configure("log.ini", "[main]\nlevel=error\n");
  mkdirSync(join(folder, "queue"));
  const child = spawn(process.execPath, [join(its, "bin/haraka"), "-c", folder], {
    stdio: "ignore",
    env: { ...process.env, YES_REALLY_DO_DISCARD: "1" },
  });
  await greeted(port);
  const stop = async () => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  return { name: "Haraka", version: versionOf(join(its, "package.json")), port, pid: child.pid ?? 0, stop };
}

/** Undefined where Postfix is not installed, or this is not root: its master insists on it. */
export async function startPostfix(): Promise<Peer | undefined> {
  if (!existsSync("/usr/sbin/postfix") || process.getuid?.() !== 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "mailhost-postfix-"));
  const port = await freePort();
  const [config, queue, data] = ["config", "queue", "data"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const made of [config, queue, data]) mkdirSync(made);
  execFileSync("chmod", ["755", folder]);
  execFileSync("chown", ["postfix", data]);
  const settings = {
    compatibility_level: "3.6",
    queue_directory: queue,
    data_directory: data,
    myhostname: "mx.example.com",
    mydestination: "example.com",
    inet_interfaces: "127.0.0.1",
    inet_protocols: "ipv4",
    mynetworks: "",
    local_recipient_maps: "",
    local_transport: "discard:",
    default_transport: "error:no mail leaves this bench",
    smtpd_peername_lookup: "no",
    maillog_file: join(folder, "log"),
    maillog_file_prefixes: tmpdir(),
  };
  writeFileSync(
    join(config, "main.cf"),
    Object.entries(settings)
      .map(([name, value]) => `${name} = ${value}\n`)
      .join(""),
  );
  const services = readFileSync("/etc/postfix/master.cf", "utf8")
    .replace(/^smtp\s+inet.*$/m, `127.0.0.1:${port} inet n - n - - smtpd`)
    .replace(/^(\w+\s+(?:unix|fifo|inet)\s+\S+\s+\S+\s+)y/gm, "$1n");
  writeFileSync(join(config, "master.cf"), services);
  execFileSync("postfix", ["-c", config, "start"], { stdio: "ignore" });
  await greeted(port);
  const pid = Number(readFileSync(join(queue, "pid/master.pid"), "utf8"));
  const version = execFileSync("postconf", ["-h", "-d", "mail_version"], { encoding: "utf8" }).trim();
  const stop = async () => {
    execFileSync("postfix", ["-c", config, "abort"], { stdio: "ignore" });
    await sleep(500);
    rmSync(folder, { recursive: true, force: true });
  };
  return { name: "Postfix", version, port, pid, stop };
}
