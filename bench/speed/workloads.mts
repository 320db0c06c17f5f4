// The rows of the table: what is sent, to whom, and what the first of them is a ratio to.
import type { Load } from "./generator.mts";

export interface Workload extends Omit<Load, "port"> {
  /** Columns. Others are too slow for it, hold it back by their limits, or lack what it takes. */
  readonly servers: readonly string[];
  /** Connections at once for a server that is at rest for most of a session. */
  readonly parallelFor?: Readonly<Record<string, number>>;
  /** The server that the others are held beside. */
  readonly base?: string;
  /** A round is done when each message is in its mailbox. */
  readonly delivered?: true;
  /**
   * `--check` holds its CPU ratio, which differs by less than a tenth between runs on a machine that others use. That of
   * 25 MB does not (a quarter: threads write to a file), nor do those that wait for a disk, a clock or a TLS ticket.
   */
  readonly steady?: true;
}

export const letter: Omit<Workload, "servers"> = {
  messages: 10_000,
  parallel: 20,
  kept: true,
  pipelined: false,
  recipients: 1,
  octets: 4096,
  dots: false,
};

const own = ["limit", "bare", "mission"];
const inGo = ["Go seed", "go-smtp"];
const light = [...own, "smtp-sink", ...inGo, "smtp-server"];
const all = [...light, "Haraka", "Postfix"];
const stored = ["synced limit", "maildir"];
const large = { ...letter, parallel: 2, messages: 20, octets: 25_000_000 };
// smtp-server waits 100 ms before it greets: with few clients it would run cold
const patient = { parallelFor: { "smtp-server": 200 } };
const secured = ["limit", "mission", ...inGo, "smtp-server", "Haraka"];

export const workloads: Record<string, Workload> = {
  "a connection each, 20 parallel": {
    ...letter,
    ...patient,
    kept: false,
    messages: 3000,
    servers: all,
    steady: true,
  },
  "a connection each, 400 parallel": {
    ...letter,
    kept: false,
    parallel: 400,
    messages: 3000,
    servers: [...light, "Haraka"],
    steady: true,
  },
  kept: { ...letter, servers: all, steady: true },
  // Haraka stalls 44 ms between a group and its answer
  pipelined: { ...letter, pipelined: true, servers: [...light, "Postfix"], steady: true },
  "25 MB": { ...large, servers: [...light, "Haraka"] },
  "25 MB stored": { ...large, messages: 4, servers: ["limit", ...stored], delivered: true },
  "10 MB, every line dot-stuffed": {
    ...large,
    octets: 10_000_000,
    dots: true,
    servers: [...light, "Haraka"],
    steady: true,
  },
  "100 recipients, pipelined": {
    ...letter,
    pipelined: true,
    recipients: 100,
    parallel: 4,
    messages: 2000,
    servers: light,
    steady: true,
  },
  "STARTTLS, full handshake": {
    ...letter,
    ...patient,
    session: "full",
    parallel: 8,
    messages: 500,
    servers: [...secured, "Postfix"],
    steady: true,
  },
  "STARTTLS, resumed": {
    ...letter,
    ...patient,
    session: "resumed",
    parallel: 8,
    messages: 500,
    servers: [...secured, "Postfix"],
  },
  // Debian's Postfix asks a program of its own for passwords
  "EHLO, AUTH PLAIN, QUIT": { ...letter, ...patient, session: "auth", messages: 3000, servers: secured, steady: true },
  "open loop, 200 messages a second": { ...letter, perSecond: 200, messages: 2000, servers: ["limit", "mission"] },
  "trace on, text dump to a file": { ...letter, base: "mission", servers: ["mission", "trace"] },
  "maildir, 4 KB": {
    ...letter,
    messages: 2000,
    base: "synced limit",
    servers: [...stored, "journal", "Postfix to Maildir"],
    delivered: true,
  },
};

export const idleTitle = "10,000 idle connections after EHLO";
export const countsTitle = "counts";
