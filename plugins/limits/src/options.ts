import { type Reply, type Status, networkProblem, replyProblem } from "@mailhost/core";
import * as v from "valibot";
import type { StoreFactory } from "./store.ts";

/** So many in so many seconds. */
export interface Rate {
  /** How many are let through. */
  readonly points: number;
  /** Seconds from the first one until all are forgotten. */
  readonly duration: number;
  /** Seconds nothing is let through once there were too many; until `duration` is over unless told otherwise. */
  readonly blockDuration?: number | undefined;
}

/** A limit for each: the client's address, its network, the identity AUTH proved. `false` takes a default away. */
export interface Per<T> {
  readonly address?: T | false | undefined;
  readonly network?: T | false | undefined;
  readonly identity?: T | false | undefined;
}

/** Waits that grow with the faults of a client: an IPv4 address, or an IPv6 network. */
export interface Tarpit {
  /** Faults that cost no time; 3 unless told otherwise. */
  readonly after?: number | undefined;
  /** Milliseconds that each further fault adds to every wait; 1000 unless told otherwise. */
  readonly step?: number | undefined;
  /** The longest wait in milliseconds; 10000 unless told otherwise, at most 20000. */
  readonly most?: number | undefined;
  /** Seconds from the first fault until all are forgotten; 900 unless told otherwise. */
  readonly duration?: number | undefined;
  /** Sessions that wait at once; 100 unless told otherwise. Whoever comes on top does not wait. */
  readonly sessions?: number | undefined;
}

/** What was too much. */
export type Excess = "concurrency" | "connections" | "messages" | "recipients" | "faults" | "authFailures";

/** What is answered; 421 closes the connection. */
export interface LimitReply {
  readonly code: number;
  readonly status: Status;
  readonly text: string;
}

export interface LimitsOptions {
  /** Sessions at once, in this process. */
  readonly concurrency?: Per<number> | undefined;
  /** New connections. */
  readonly connections?: Omit<Per<Rate>, "identity"> | undefined;
  /** Transactions, counted at their first RCPT. */
  readonly messages?: Per<Rate> | undefined;
  /** RCPT commands, refused ones too. */
  readonly recipients?: Per<Rate> | undefined;
  /** Errors, refused recipients and messages, wrong passwords. */
  readonly faults?: Per<Rate> | undefined;
  /** Wrong passwords. `identity` is the name that was tried: whoever guesses locks its owner out. */
  readonly authFailures?: Per<Rate> | undefined;
  /** `false` for no waits. */
  readonly tarpit?: Tarpit | false | undefined;
  /** Length of the prefix that makes a network; 24 and 64 unless told otherwise. */
  readonly prefixes?: { readonly ipv4?: number | undefined; readonly ipv6?: number | undefined } | undefined;
  /** Addresses and networks that no limit holds for; one for their identities does. The loopback unless told otherwise. */
  readonly exempt?: readonly string[] | undefined;
  /** Where rates are counted: the URL of a Redis, or a function that makes a limiter of rate-limiter-flexible. */
  readonly store?: string | StoreFactory | undefined;
  /** While the store fails: `"memory"` counts in this process, `"defer"` answers 451. */
  readonly onStoreFailure?: "memory" | "defer" | undefined;
  /** Keys that each limit remembers in memory; 50000 unless told otherwise. */
  readonly keys?: number | undefined;
  readonly replies?: Partial<Record<Excess, LimitReply | undefined>> | undefined;
}

const whole = (least: number, most: number) =>
  v.pipe(
    v.number(`a whole number from ${least} is needed`),
    v.integer(`a whole number from ${least} is needed`),
    v.minValue(least, `at least ${least}`),
    v.maxValue(most, `at most ${most}`),
  );

/** A thousand million: what a counter of any store holds. */
const many = 1_000_000_000;
/** A month of seconds. Who must wait longer is not limited but refused. */
const month = 31 * 24 * 3600;

const rate = v.strictObject(
  { points: whole(1, many), duration: whole(1, month), blockDuration: v.optional(whole(1, month)) },
  "a rate like { points: 100, duration: 60 } is needed, or false",
);
const off = v.literal(false);
/** `false`, or what the schema says of it, with its path. */
const orOff = <S extends typeof rate | ReturnType<typeof whole>>(schema: S) =>
  v.optional(v.lazy((input): typeof off | S => (input === false ? off : schema)));

const rates = { address: orOff(rate), network: orOff(rate), identity: orOff(rate) };
const crowd = orOff(whole(1, many));

const network = v.pipe(
  v.string(),
  v.check(
    (text) => networkProblem(text) === undefined,
    ({ input }) => networkProblem(input) ?? "no network",
  ),
);

const reply = v.pipe(
  v.strictObject({
    code: v.pipe(v.number(), v.minValue(400, "a refusal is 4yz or 5yz"), v.maxValue(599, "a refusal is 4yz or 5yz")),
    status: v.custom<Status>((value) => typeof value === "string", "a status like 4.7.1 is needed"),
    text: v.string(),
  }),
  v.check(
    (given) => replyProblem(given) === undefined,
    ({ input }) => replyProblem(input as Reply) ?? "no reply",
  ),
);

const tarpit = v.strictObject({
  after: v.optional(whole(0, many)),
  step: v.optional(whole(1, 20_000)),
  most: v.optional(whole(1, 20_000)),
  duration: v.optional(whole(1, month)),
  sessions: v.optional(whole(1, many)),
});

const isRedis = (text: string): boolean => /^rediss?:$/.test(URL.canParse(text) ? new URL(text).protocol : "");
const store = v.custom<string | StoreFactory>(
  (value) => typeof value === "function" || (typeof value === "string" && isRedis(value)),
  "a URL like redis://127.0.0.1:6379 is needed, or a function that makes a limiter",
);

export const schema = v.strictObject({
  concurrency: v.optional(v.strictObject({ address: crowd, network: crowd, identity: crowd })),
  connections: v.optional(v.strictObject({ address: rates.address, network: rates.network })),
  messages: v.optional(v.strictObject(rates)),
  recipients: v.optional(v.strictObject(rates)),
  faults: v.optional(v.strictObject(rates)),
  authFailures: v.optional(v.strictObject(rates)),
  tarpit: v.optional(v.lazy((input): typeof off | typeof tarpit => (input === false ? off : tarpit))),
  prefixes: v.optional(v.strictObject({ ipv4: v.optional(whole(8, 32)), ipv6: v.optional(whole(16, 128)) })),
  exempt: v.optional(v.array(network)),
  store: v.optional(store),
  onStoreFailure: v.optional(v.picklist(["memory", "defer"], '"memory" or "defer" is needed')),
  keys: v.optional(whole(100, 10_000_000)),
  replies: v.optional(
    v.strictObject({
      concurrency: v.optional(reply),
      connections: v.optional(reply),
      messages: v.optional(reply),
      recipients: v.optional(reply),
      faults: v.optional(reply),
      authFailures: v.optional(reply),
    }),
  ),
});

/** In force where options are silent. Traffic that is merely much is not limited: that is policy. */
export const defaults = {
  concurrency: { address: 30, network: 90, identity: 30 },
  connections: { address: { points: 300, duration: 60 }, network: { points: 900, duration: 60 } },
  authFailures: {
    address: { points: 10, duration: 900, blockDuration: 900 },
    network: { points: 50, duration: 900, blockDuration: 900 },
  },
  tarpit: { after: 3, step: 1000, most: 10_000, duration: 900, sessions: 100 },
  prefixes: { ipv4: 24, ipv6: 64 },
  exempt: ["127.0.0.0/8", "::1"],
  keys: 50_000,
} as const;
