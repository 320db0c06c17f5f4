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
const addresses = [(host: number) => `203.0.113.${host}`, (host: number) => `2001:db8:0:${host}::1`];

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

/** Longer than a tap of `connect` may take, unless told otherwise. */
const patience = 35_000;

/** A client whom nobody knows: each has an address of its own, so that none is refused for what another does. */
interface Stranger {
  readonly client: string;
  readonly reversePath: string;
  readonly tls: boolean;
}

const strangersTo = (serverName: string): Stranger[] =>
  addresses.flatMap((address) =>
    ["", "stranger@sender-probe.invalid", `postmaster@${serverName}`].flatMap((reversePath, at) =>
      [true, false].map((tls) => ({ client: address(77 + 2 * at + (tls ? 0 : 1)), reversePath, tls })),
    ),
  );

/** Hears the events of the probes under way. */
export interface Watched {
  hear: ((event: TraceEvent) => void) | undefined;
}

/** Plays strangers who hand in mail for domains nobody named, in memory, all at once: a server may let each of them wait. */
export async function probe(server: Mailhost, listener: string, serverName: string, watched: Watched): Promise<Probed> {
  const ears = new Map<string, (event: TraceEvent) => void>();
  watched.hear = (event) => ears.get(event.session.client.address)?.(event);
  const accepted: Accepted[] = [];
  const deferred = new Set<string>();
  const troubles: string[] = [];
  const one = async (stranger: Stranger): Promise<void> => {
    try {
      const result = await probeOnce(server, listener, serverName, stranger, ears);
      accepted.push(...result.accepted);
      for (const recipient of result.deferred) deferred.add(recipient);
    } catch (error) {
      if (!(error instanceof RunTimeError)) throw error;
      troubles.push(error.message);
    }
  };
  try {
    await Promise.all(strangersTo(serverName).map(one));
  } finally {
    watched.hear = undefined;
  }
  return { accepted, deferred: [...deferred], trouble: troubles[0] };
}

async function probeOnce(
  server: Mailhost,
  listener: string,
  serverName: string,
  stranger: Stranger,
  ears: Map<string, (event: TraceEvent) => void>,
): Promise<Pick<Probed, "accepted" | "deferred">> {
  const peer = { client: { address: stranger.client, port: 40_000 }, local: { address: "192.0.2.25", port: 25 } };
  const accepted: Accepted[] = [];
  const deferred: string[] = [];
  let permits = new Map<string, Set<string>>();
  let kind: TransportKind = "local";
  const transports = server.generations.find((one) => one.listener.name === listener)?.vocabulary.transports;
  ears.set(stranger.client, (event) => {
    if (event.type === "route") kind = transports?.get(event.transport)?.kind ?? "local";
    if (event.type !== "tap" || event.hook !== "rcpt") return;
    for (const edit of event.edits)
      if (edit.kind === "permit") permits.set(edit.as, (permits.get(edit.as) ?? new Set()).add(event.plugin));
  });
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
