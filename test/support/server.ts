import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Mailhost, mailhost } from "@mailhost/core";
import addressable from "@mailhost/plugin-addressable";
import authPlain from "@mailhost/plugin-auth-plain";
import maildir from "@mailhost/plugin-maildir";
import starttls from "@mailhost/plugin-starttls";
import { makeCertificate } from "./certificate.ts";

/** A server of the mission's plugins on 127.0.0.1, and what it stored. */
export interface RealServer {
  readonly mailhost: Mailhost;
  /** 25 in small: STARTTLS, no AUTH needed. */
  readonly transfer: number;
  /** 587 in small: AUTH under TLS required. */
  readonly submission: number;
  /** 465 in small. */
  readonly submissions: number;
  readonly root: string;
  /** The certificate, PEM: clients are told to trust it. */
  readonly certificate: string;
  /** Messages in a mailbox since the last call, as they stand in their files. */
  take(domain: string, local: string): Buffer[];
  close(): Promise<void>;
}

export const password = "correct horse";

export async function startServer(): Promise<RealServer> {
  const folder = mkdtempSync(join(tmpdir(), "mailhost-clients-"));
  const root = join(folder, "mail");
  const { cert, key } = await makeCertificate(folder);
  const server = await mailhost({
    name: "localhost",
    plugins: [
      starttls({ cert, key }),
      addressable({ domains: ["example.com", "xn--bcher-kva.example"] }),
      maildir({ root, fsync: false }),
    ],
    default: { local: "maildir" },
    limits: { connectionsPerClient: 1000 },
    listeners: [
      { name: "transfer", host: "127.0.0.1", port: 0 },
      { name: "submission", host: "127.0.0.1", port: 0, mode: "submission", plugins: [auth()] },
      { name: "submissions", host: "127.0.0.1", port: 0, mode: "submission", tls: "implicit", plugins: [auth()] },
    ],
  }).listen();
  const port = (name: string): number => server.addresses.find(({ listener }) => listener === name)?.port ?? 0;
  const taken = new Set<string>();
  return {
    mailhost: server,
    transfer: port("transfer"),
    submission: port("submission"),
    submissions: port("submissions"),
    root,
    certificate: cert,
    take: (domain, local) => takeNew(join(root, domain, local, "new"), taken),
    async close() {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const auth = () => authPlain({ verify: (username, given) => username === "jane@example.com" && given === password });

function takeNew(folder: string, taken: Set<string>): Buffer[] {
  const files = readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((file) => !taken.has(file));
  for (const file of files) taken.add(file);
  return files
    .toSorted((one, other) => statSync(one).mtimeMs - statSync(other).mtimeMs)
    .map((file) => readFileSync(file));
}

/** What stands below the trace fields, i.e. what the client sent, with LF line ends. */
export function belowTrace(stored: Buffer): Buffer {
  let at = 0;
  for (const name of ["Return-Path:", "Delivered-To:", "Received:"]) {
    if (stored.subarray(at, at + name.length).toString("latin1") !== name) throw new Error(`${name} is missing`);
    do {
      at = stored.indexOf(10, at) + 1;
    } while (stored[at] === 0x20 || stored[at] === 0x09);
  }
  return stored.subarray(at);
}
