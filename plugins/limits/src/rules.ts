import { type Host, type Networks, type Refusal, makeNetworks } from "@mailhost/core";
import { Counters } from "./counters.ts";
import { Gauge } from "./gauge.ts";
import type { Prefixes } from "./keys.ts";
import type { Limit, Whom } from "./limit.ts";
import {
  type Excess,
  type LimitsOptions,
  type Per,
  type Rate,
  type Tarpit as TarpitOptions,
  defaults,
} from "./options.ts";
import { makeRefusals } from "./refusals.ts";
import { Tarpit, type TarpitRule, type Waiting } from "./tarpit.ts";

/** Options with everything that is needed to hold to them. */
export interface Rules {
  readonly concurrency: Per<number>;
  readonly gauges: Readonly<Record<Whom, Gauge>>;
  readonly limits: Readonly<Record<Exclude<Excess, "concurrency">, Limit>>;
  readonly tarpit: Tarpit | undefined;
  readonly exempt: Networks;
  readonly prefixes: Prefixes;
  readonly refusals: Readonly<Record<Excess, Refusal>>;
}

export async function makeRules(host: Host, options: LimitsOptions): Promise<Rules> {
  const counters = await Counters.open(host, options);
  const { connections, messages = {}, recipients = {}, faults = {}, authFailures } = options;
  return {
    concurrency: over<Per<number>>(defaults.concurrency, options.concurrency),
    gauges: await host.shared("gauges", () => ({ network: new Gauge(), address: new Gauge(), identity: new Gauge() })),
    limits: {
      connections: await counters.limit("connections", over<Per<Rate>>(defaults.connections, connections)),
      messages: await counters.limit("messages", messages),
      recipients: await counters.limit("recipients", recipients),
      faults: await counters.limit("faults", faults, true),
      authFailures: await counters.limit("authFailures", over<Per<Rate>>(defaults.authFailures, authFailures), true),
    },
    tarpit: options.tarpit === false ? undefined : await makeTarpit(host, counters, options.tarpit),
    exempt: makeNetworks(options.exempt ?? defaults.exempt),
    prefixes: over<Prefixes>(defaults.prefixes, options.prefixes),
    refusals: makeRefusals(options.replies),
  };
}

async function makeTarpit(host: Host, counters: Counters, options: TarpitOptions = {}): Promise<Tarpit> {
  const rule = over<TarpitRule & { duration: number }>(defaults.tarpit, options);
  const counter = await counters.make("tarpit client", { points: rule.after, duration: rule.duration });
  const waiting = await host.shared("waiting", (): Waiting => ({ sessions: 0 }));
  return new Tarpit(host.clock, counter, rule, waiting);
}

/** Milliseconds a tap may take: the longest wait, and a store that answers late in every question of the tap. */
export const deadlineOf = ({ tarpit }: LimitsOptions): number =>
  10_000 + (tarpit === false ? 0 : (tarpit?.most ?? defaults.tarpit.most));

/** What is given, and the default where nothing is. */
function over<T extends object>(base: T, given: { readonly [K in keyof T]?: T[K] | undefined } = {}): T {
  const said = Object.entries(given).filter(([, value]) => value !== undefined);
  // Of the keys and types of T, but for those that are not there
  return { ...base, ...(Object.fromEntries(said) as Partial<T>) };
}
