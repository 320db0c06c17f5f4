import { hostname, tmpdir } from "node:os";
import type { Blueprint } from "../host/build.ts";
import { type Limits, type Timeouts, defaultLimits, defaultTimeouts } from "../host/limits.ts";
import { makeNetworks, networkProblem } from "../host/networks.ts";
import { type Plugin, isPlugin } from "../host/plugin.ts";
import { type Problem, nearest } from "../host/problems.ts";
import type { DefaultTransports } from "../host/recipient.ts";
import { type Clock, type Log, type Resolver, longestWait } from "../host/services.ts";
import type { BareLineEnds } from "../protocol/body.ts";
import { canonicalDomain, canonicalLiteral } from "../protocol/domain.ts";
import type { ListenerMode } from "../protocol/session.ts";

/** Where a server listens, and what is different there. */
export interface ListenerOptions {
  /** For logs and `mailhost hooks`; the port unless told otherwise. */
  readonly name?: string;
  /** Name of the server on this listener. */
  readonly serverName?: string;
  /** Address to listen on; every address unless told otherwise. */
  readonly host?: string;
  readonly port?: number;
  /** A socket that is listening already, handed over by systemd or a parent. */
  readonly fd?: number;
  /** `transfer` (port 25) unless told otherwise. */
  readonly mode?: ListenerMode;
  /** TLS from the first octet (RFC 8314 §3). */
  readonly tls?: "implicit";
  /** Beside those of the server. */
  readonly plugins?: readonly Plugin[];
  readonly default?: DefaultTransports;
  readonly limits?: Partial<Limits>;
  readonly timeouts?: Partial<Timeouts>;
  /** A lone CR or LF in a body: refused on transfer, normalised on submission, unless told otherwise. */
  readonly bareLineEnds?: BareLineEnds;
  /** Networks whose lone CR and LF are normalised all the same. */
  readonly normalizeFor?: readonly string[];
}

/** A server, as a program or a configuration file describes it. */
export interface MailhostOptions {
  /** Name the server goes by in 220, EHLO and Received; the host's name unless told otherwise. */
  readonly name?: string;
  /** In force on every listener, before the listener's own. */
  readonly plugins?: readonly Plugin[];
  /** What `listen()` opens; one on port 2525 unless told otherwise. */
  readonly listeners?: readonly ListenerOptions[];
  readonly default?: DefaultTransports;
  readonly limits?: Partial<Limits>;
  readonly timeouts?: Partial<Timeouts>;
  readonly bareLineEnds?: BareLineEnds;
  readonly normalizeFor?: readonly string[];
  /** Folder for bodies that do not fit in memory; the system's folder for temporary files unless told otherwise. */
  readonly spool?: string;
  readonly log?: Log;
  readonly clock?: Clock;
  readonly resolver?: Resolver;
}

/** Where a listener listens. */
export interface Place {
  readonly host: string | undefined;
  readonly port: number;
  readonly fd: number | undefined;
}

export interface Plan {
  readonly place: Place;
  readonly blueprint: Blueprint;
}

const serverKeys = [
  "name",
  "plugins",
  "listeners",
  "default",
  "limits",
  "timeouts",
  "bareLineEnds",
  "normalizeFor",
  "spool",
  "log",
  "clock",
  "resolver",
];
const listenerKeys = [
  "name",
  "serverName",
  "host",
  "port",
  "fd",
  "mode",
  "tls",
  "plugins",
  "default",
  "limits",
  "timeouts",
  "bareLineEnds",
  "normalizeFor",
];

export const spoolFolder = (options: MailhostOptions): string => options.spool ?? tmpdir();

/**
 * One plan per listener, and everything that is wrong with the settings. A wrong setting is passed over,
 * so that plugins can be looked at and all problems are told at once.
 */
export function plan(options: MailhostOptions): { plans: Plan[]; problems: Problem[] } {
  const problems: Problem[] = [];
  problems.push(...unknownKeys(options, serverKeys, ""), ...checkShared(options, ""));
  const listeners = options.listeners ?? [{ port: 2525 }];
  const plans = listeners.map((listener, index) => {
    const where = `listeners[${index}]`;
    problems.push(
      ...unknownKeys(listener, listenerKeys, where),
      ...checkListener(listener, where),
      ...checkShared(listener, where),
    );
    return planOne(options, listener, index, where);
  });
  const names = plans.map(({ blueprint }) => blueprint.listener.name);
  for (const [index, name] of names.entries())
    if (names.indexOf(name) !== index)
      problems.push({
        code: "DUPLICATE_NAME",
        where: `listeners[${index}].name`,
        what: `two listeners are named ${name}`,
        mend:
          listeners[index]?.name === undefined
            ? "Give each its own port, or its own host and name."
            : "Give each its own name.",
      });
  if (listeners.length === 0)
    problems.push({
      code: "BAD_LISTENER",
      where: "listeners",
      what: "there is no listener",
      mend: "Add one, such as { port: 25 }.",
    });
  return { plans, problems };
}

function planOne(options: MailhostOptions, listener: ListenerOptions, index: number, where: string): Plan {
  const { host, port = 0, fd } = listener;
  const mode = listener.mode === "submission" ? "submission" : "transfer";
  const place: Place = { host, port, fd };
  const serverName = [listener.serverName, options.name].find(isHostName) ?? fallbackName();
  const bare = listener.bareLineEnds ?? options.bareLineEnds ?? (mode === "submission" ? "normalize" : "refuse");
  const mended = validNetworks([...(options.normalizeFor ?? []), ...(listener.normalizeFor ?? [])]);
  const own = (listener.plugins ?? []).map((plugin, at) => ({ plugin, where: `${where}.plugins[${at}]` }));
  const common = (options.plugins ?? []).map((plugin, at) => ({ plugin, where: `plugins[${at}]` }));
  const blueprint: Blueprint = {
    where,
    listener: {
      name: listener.name ?? nameOf(place, index),
      serverName,
      mode,
      implicitTls: listener.tls === "implicit",
    },
    plugins: [...common, ...own].filter(({ plugin }) => isPlugin(plugin)),
    limits: { ...defaultLimits, ...numbersOf(options.limits), ...numbersOf(listener.limits) },
    timeouts: { ...defaultTimeouts, ...waitsOf(options.timeouts), ...waitsOf(listener.timeouts) },
    defaults: { ...options.default, ...listener.default },
    bareLineEnds: (address) => (mended.has(address) ? "normalize" : bare),
  };
  return { place, blueprint };
}

const nameOf = ({ port, fd }: Place, index: number): string =>
  fd !== undefined ? `fd-${fd}` : port === 0 ? `listener-${index}` : String(port);

const isHostName = (name: string | undefined): name is string =>
  name !== undefined && (canonicalDomain(name) !== undefined || canonicalLiteral(name) !== undefined);

const numbersOf = <T extends object>(given: T | undefined): Partial<T> =>
  // Keys of T with numbers for values: still a part of T
  Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => isCount(value))) as Partial<T>;

const waitsOf = (given: Partial<Timeouts> | undefined): Partial<Timeouts> =>
  // As above: numbers stay numbers
  Object.fromEntries(
    Object.entries(numbersOf(given)).map(([key, value]) => [key, Math.min(value, longestWait)]),
  ) as Partial<Timeouts>;

const isCount = (value: unknown): boolean => typeof value === "number" && value >= 0;

/** A host's name that is no domain (spaces, an empty name) cannot stand in a reply. */
const fallbackName = (): string => canonicalDomain(hostname()) ?? "localhost";

const validNetworks = (entries: readonly string[]) =>
  makeNetworks(entries.filter((entry) => networkProblem(entry) === undefined));

function unknownKeys(given: object, known: readonly string[], where: string): Problem[] {
  return Object.keys(given)
    .filter((key) => !known.includes(key))
    .map((key) => {
      const near = nearest(key, known);
      const mend = near === undefined ? `It knows: ${known.join(", ")}.` : `Did you mean ${near}?`;
      return { code: "UNKNOWN_OPTION", where: join(where, key), what: `there is no setting ${key}`, mend };
    });
}

const join = (where: string, key: string): string => (where === "" ? key : `${where}.${key}`);

function checkListener(listener: ListenerOptions, where: string): Problem[] {
  const problems: Problem[] = [];
  const bad = (key: string, what: string, mend: string): void =>
    void problems.push({ code: "BAD_LISTENER", where: `${where}.${key}`, what, mend });
  const { port, fd, mode, tls } = listener;
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65535))
    bad("port", `${String(port)} is no port`, "Use a number from 0 to 65535.");
  if (port === undefined && fd === undefined) bad("port", "it says no port", "Add one, such as 25.");
  if (mode !== undefined && mode !== "transfer" && mode !== "submission")
    bad("mode", `there is no mode ${String(mode)}`, "Use transfer (port 25) or submission (587, 465).");
  if (tls !== undefined && tls !== "implicit")
    bad("tls", `there is no tls ${String(tls)}`, "Use implicit, or leave it out and add a plugin that upgrades.");
  return problems;
}

/** What stands in the server's options and in a listener's alike. */
function checkShared(given: MailhostOptions | ListenerOptions, where: string): Problem[] {
  const problems: Problem[] = [];
  const serverName = "serverName" in given ? given.serverName : where === "" ? given.name : undefined;
  if (serverName !== undefined && !isHostName(serverName))
    problems.push({
      code: "BAD_OPTION",
      where: join(where, where === "" ? "name" : "serverName"),
      what: `${JSON.stringify(serverName)} is no host name`,
      mend: "Use one like mx.example.com.",
    });
  for (const [index, plugin] of (given.plugins ?? []).entries())
    if (!isPlugin(plugin))
      problems.push({
        code: "BAD_PLUGIN",
        where: join(where, `plugins[${index}]`),
        what: "this is no plugin",
        mend: "Call what its package exports, and put the result here.",
      });
  for (const [index, entry] of (given.normalizeFor ?? []).entries()) {
    const problem = networkProblem(entry);
    if (problem !== undefined)
      problems.push({
        code: "BAD_OPTION",
        where: join(where, `normalizeFor[${index}]`),
        what: problem,
        mend: "Use CIDR notation.",
      });
  }
  // One budget serves all listeners
  const limits = Object.keys(defaultLimits).filter((key) => where === "" || key !== "memoryOctets");
  problems.push(...checkNumbers(given.limits, limits, join(where, "limits")));
  problems.push(...checkNumbers(given.timeouts, Object.keys(defaultTimeouts), join(where, "timeouts")));
  return problems;
}

function checkNumbers(given: object | undefined, known: readonly string[], where: string): Problem[] {
  if (given === undefined) return [];
  const problems = unknownKeys(given, known, where);
  for (const [key, value] of Object.entries(given))
    if (known.includes(key) && !isCount(value))
      problems.push({
        code: "BAD_OPTION",
        where: `${where}.${key}`,
        what: `${JSON.stringify(value)} is no number from 0 on`,
        mend: "Counts, octets and milliseconds are plain numbers.",
      });
  return problems;
}
