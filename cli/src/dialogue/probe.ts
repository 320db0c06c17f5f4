import type { Mailhost, TransportKind, TraceEvent } from "@mailhost/core";
import { RunTimeError } from "../exit.ts";
import { greet, talkTo } from "./memory.ts";

/** A recipient in a domain nobody named, that a listener accepted from a stranger. */
export interface Accepted {
  readonly recipient: string;
  readonly reversePath: string;
  readonly client: string;
  readonly kind: TransportKind;
  /** Plugins that permitted it. */
  readonly plugins: readonly string[];
}

/** What probing one listener came to. */
export interface Probed {
  readonly accepted: readonly Accepted[];
  /** Recipients that were told to try again later: nothing is known of them. */
  readonly deferred: readonly string[];
  /** Why there was no dialogue. */
  readonly trouble: string | undefined;
}

/** Addresses of documentation (RFC 5737, RFC 3849): nobody's networks. */
const strangers = ["203.0.113.77", "2001:db8::77"];

/** Domains nobody can have (RFC 6761 §6.4), and ways to write them that have fooled servers. */
const recipients = (serverName: string): string[] => [
  "probe@relay-probe.invalid",
  "postmaster@relay-probe.invalid",
  "probe@sub.relay-probe.invalid",
  `probe@${serverName}.relay-probe.invalid`,
  "probe@[203.0.113.99]",
  "probe@[IPv6:2001:db8::99]",
  `@${serverName}:probe@relay-probe.invalid`,
  '"probe@relay-probe.invalid"@relay-probe.invalid',
  "probe%other-probe.invalid@relay-probe.invalid",
];

const patience = 10_000;

/** Plays strangers who hand in mail for domains nobody named, in memory. `watched` gives the events of the one dialogue that is under way. */
export async function probe(
  server: Mailhost,
  listener: string,
  serverName: string,
  watched: { hear: ((event: TraceEvent) => void) | undefined },
): Promise<Probed> {
  const accepted: Accepted[] = [];
  const deferred: string[] = [];
  try {
    for (const client of strangers)
      for (const reversePath of ["", "stranger@sender-probe.invalid", `postmaster@${serverName}`])
        for (const tls of [true, false]) {
          const result = await probeOnce(server, listener, serverName, { client, reversePath, tls }, watched);
          accepted.push(...result.accepted);
          deferred.push(...result.deferred);
        }
  } catch (error) {
    if (!(error instanceof RunTimeError)) throw error;
    return { accepted, deferred, trouble: error.message };
  } finally {
    watched.hear = undefined;
  }
  return { accepted, deferred: [...new Set(deferred)], trouble: undefined };
}

async function probeOnce(
  server: Mailhost,
  listener: string,
  serverName: string,
  stranger: { client: string; reversePath: string; tls: boolean },
  watched: { hear: ((event: TraceEvent) => void) | undefined },
): Promise<Pick<Probed, "accepted" | "deferred">> {
  const peer = { client: { address: stranger.client, port: 40_000 }, local: { address: "192.0.2.25", port: 25 } };
  const accepted: Accepted[] = [];
  const deferred: string[] = [];
  let permits = new Map<string, Set<string>>();
  let kind: TransportKind = "local";
  const transports = server.generations.find((one) => one.listener.name === listener)?.vocabulary.transports;
  watched.hear = (event) => {
    if (event.type === "route") kind = transports?.get(event.transport)?.kind ?? "local";
    if (event.type !== "tap" || event.hook !== "rcpt") return;
    for (const edit of event.edits)
      if (edit.kind === "permit") permits.set(edit.as, (permits.get(edit.as) ?? new Set()).add(event.plugin));
  };
  const { client, hangUp } = talkTo(server, { listener, peer }, { patience });
  try {
    await greet(client, "stranger.invalid", stranger.tls);
    const mail = await client.command(`MAIL FROM:<${stranger.reversePath}>`);
    if (mail.code !== 250) return { accepted, deferred };
    for (const recipient of recipients(serverName)) {
      if (client.isClosed) break;
      permits = new Map();
      const { code } = await client.command(`RCPT TO:<${recipient}>`);
      if (code === 250) accepted.push({ ...stranger, recipient, kind, plugins: [...(permits.get(kind) ?? [])] });
      else if (code >= 400 && code < 500) deferred.push(recipient);
    }
    return { accepted, deferred };
  } catch (error) {
    // A server that hangs up on a stranger takes nothing from it
    if (client.isClosed) return { accepted, deferred };
    throw error;
  } finally {
    hangUp();
  }
}
