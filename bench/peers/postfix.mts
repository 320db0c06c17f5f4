// Debian's Postfix and its smtp-sink, where they are installed. Postfix has a queue and a configuration of its own.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { certificateIn } from "./certificate.mts";
import { type Peer, atExit, freePort, greeted, program, remove, temporary } from "./start.mts";

const versionHere = (): string => execFileSync("postconf", ["-h", "-d", "mail_version"], { encoding: "utf8" }).trim();

/** Undefined where it is not installed. It holds 256 connections unless told otherwise. */
export async function startSmtpSink(): Promise<Peer | undefined> {
  if (!existsSync("/usr/sbin/smtp-sink")) return undefined;
  const port = await freePort();
  const command = ["/usr/sbin/smtp-sink", "-c", "-m", "11000", "-u", "nobody", `127.0.0.1:${port}`, "1024"];
  return program({ name: "smtp-sink", version: versionHere(), port }, command);
}

const nobody = "65534";

const deliveries = {
  discard: () => ({ mydestination: "example.com", local_recipient_maps: "", local_transport: "discard:" }),
  maildir: (mail: string) => ({
    mydestination: "",
    virtual_mailbox_domains: "example.com",
    virtual_mailbox_maps: "static:u0/",
    virtual_mailbox_base: mail,
    virtual_mailbox_limit: "0",
    virtual_uid_maps: `static:${nobody}`,
    virtual_gid_maps: `static:${nobody}`,
  }),
} satisfies Record<string, (mail: string) => Record<string, string>>;

interface Folders {
  readonly root: string;
  readonly config: string;
  readonly queue: string;
  readonly data: string;
  readonly mail: string;
}

function makeFolders(): Folders {
  const root = temporary("postfix");
  const [config, queue, data, mail] = ["config", "queue", "data", "mail"].map((name) => join(root, name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const made of [config, queue, data, mail]) mkdirSync(made);
  chmodSync(root, 0o755);
  execFileSync("chown", ["postfix", data]);
  execFileSync("chown", [`${nobody}:${nobody}`, mail]);
  return { root, config, queue, data, mail };
}

async function configure(folders: Folders, port: number, delivery: keyof typeof deliveries): Promise<void> {
  const { root, config, queue, data, mail } = folders;
  const { cert, key } = await certificateIn(config);
  const settings = {
    compatibility_level: "3.6",
    queue_directory: queue,
    data_directory: data,
    myhostname: "mx.example.com",
    inet_interfaces: "127.0.0.1",
    inet_protocols: "ipv4",
    mynetworks: "",
    default_transport: "error:no mail leaves this bench",
    smtpd_client_connection_count_limit: "0",
    smtpd_peername_lookup: "no",
    smtpd_tls_security_level: "may",
    smtpd_tls_cert_file: cert,
    smtpd_tls_key_file: key,
    maillog_file: join(root, "log"),
    maillog_file_prefixes: tmpdir(),
    ...deliveries[delivery](mail),
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  writeFileSync(join(config, "main.cf"), lines.join(""));
  const services = readFileSync("/etc/postfix/master.cf", "utf8")
    .replace(/^smtp\s+inet.*$/m, `127.0.0.1:${port} inet n - n - - smtpd`)
    .replace(/^(\w+\s+(?:unix|fifo|inet)\s+\S+\s+\S+\s+)y/gm, "$1n");
  writeFileSync(join(config, "master.cf"), services);
}

/** Waits for an empty queue: a message that was acknowledged is still work. */
async function emptied(queue: string): Promise<void> {
  const left = (): number =>
    ["maildrop", "incoming", "active", "deferred"].reduce(
      (sum, name) =>
        sum +
        readdirSync(join(queue, name), { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).length,
      0,
    );
  for (let tries = 0; tries < 6000; tries += 1) {
    if (left() === 0) return;
    await sleep(10);
  }
  throw new Error("Postfix does not deliver what it took");
}

/** Nothing happens if it is not running any more. */
const abort = ({ root, config }: Folders): void => {
  if (existsSync(root)) spawnSync("postfix", ["-c", config, "abort"], { stdio: "ignore" });
};

async function stop(folders: Folders): Promise<void> {
  abort(folders);
  await sleep(500);
  remove(folders.root);
}

/** Undefined where Postfix is not installed, or this is not root: its master insists on it. */
export async function startPostfix(delivery: keyof typeof deliveries = "discard"): Promise<Peer | undefined> {
  if (!existsSync("/usr/sbin/postfix") || process.getuid?.() !== 0) return undefined;
  const folders = makeFolders();
  atExit(() => abort(folders));
  const port = await freePort();
  try {
    await configure(folders, port, delivery);
    execFileSync("postfix", ["-c", folders.config, "start"], { stdio: "ignore" });
    await greeted(port);
    const pid = Number(readFileSync(join(folders.queue, "pid/master.pid"), "utf8"));
    const mail = delivery === "maildir" ? { newMail: join(folders.mail, "u0/new") } : {};
    const settled = () => emptied(folders.queue);
    return { name: "Postfix", version: versionHere(), port, pid, ...mail, settled, stop: () => stop(folders) };
  } catch (problem) {
    await stop(folders);
    throw problem;
  }
}
