// Every server of the table, by the name of its column. Limits of connections, commands and transactions are raised.
import { startGoSeed, startGoSmtp } from "../peers/go-peers.mts";
import {
  type How,
  startHaraka,
  startLimit,
  startMailhost,
  startSmtpServer,
  startSyncedLimit,
} from "../peers/peers.mts";
import { startPostfix, startSmtpSink } from "../peers/postfix.mts";
import type { Peer } from "../peers/start.mts";

const raised = { args: ["--raise-counts"] };

export const startMission = (how: How = {}): Promise<Peer> => startMailhost("mission", { ...raised, ...how });

export const servers: Record<string, () => Promise<Peer | undefined>> = {
  limit: startLimit,
  "synced limit": startSyncedLimit,
  bare: () => startMailhost("bare", raised),
  mission: startMission,
  trace: () => startMailhost("trace", raised),
  maildir: () => startMailhost("maildir", raised),
  journal: () => startMailhost("journal", raised),
  "smtp-sink": startSmtpSink,
  "Go seed": startGoSeed,
  "go-smtp": startGoSmtp,
  "smtp-server": () => startSmtpServer({ secure: true }),
  Haraka: () => startHaraka({ secure: true }),
  Postfix: startPostfix,
  "Postfix to Maildir": () => startPostfix("maildir"),
};

/** What is not mailhost and not a limit: it may be missing, or fail. */
export const others: ReadonlySet<string> = new Set([
  "smtp-sink",
  "Go seed",
  "go-smtp",
  "smtp-server",
  "Haraka",
  "Postfix",
  "Postfix to Maildir",
]);

/** Starts those that are here. A peer that cannot start is told and left out. */
export async function startAll(names: Iterable<string>, running: Map<string, Peer>): Promise<void> {
  for (const name of names)
    try {
      const peer = await servers[name]?.();
      if (peer === undefined) console.error(`${name} is not here`);
      else running.set(name, peer);
    } catch (problem) {
      if (!others.has(name)) throw problem;
      console.error(`${name} is left out: ${String(problem)}`);
    }
}

/** Ends all of them, whatever happens to one. */
export async function stopAll(running: Map<string, Peer>): Promise<void> {
  for (const [name, peer] of running)
    await peer.stop().catch((problem: unknown) => console.error(`${name} does not end: ${String(problem)}`));
  running.clear();
}
