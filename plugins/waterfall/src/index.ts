import {
  ConfigurationError,
  type Host,
  type Log,
  type Session,
  definePlugin,
  describeError,
  networkProblem,
} from "@mailhost/core";
import * as v from "valibot";
import { Collector } from "./collector.ts";
import type { Waterfall } from "./record.ts";
import type { Telemetry } from "./spans.ts";
import { tellSpans } from "./spans.ts";
import { type Only, wantedClient, wantedWaterfall } from "./wanted.ts";

export { Collector, type CollectorOptions, type Teller } from "./collector.ts";
export type * from "./record.ts";
export { waterfallVersion } from "./record.ts";
export { type Paint, formatWaterfall, outcomeOf } from "./table.ts";
export type { Only } from "./wanted.ts";

/** What is told of which sessions, and where. */
export interface WaterfallOptions {
  /** One line per record in the server's log, at this level; `true`, which is `info`, unless told otherwise. */
  readonly log?: boolean | keyof Log | undefined;
  /** Spans for OpenTelemetry. `auto`, unless told otherwise: where `@opentelemetry/api` is installed. `true`: it must be. */
  readonly spans?: boolean | "auto" | undefined;
  /** Gets every record. What it throws is logged. */
  readonly on?: ((waterfall: Waterfall) => void | Promise<void>) | undefined;
  /** One record per session, or one per message; `session` unless told otherwise. */
  readonly each?: "session" | "message" | undefined;
  /** All sessions, unless told otherwise. */
  readonly only?: Only | undefined;
  /** Rows kept of a session; 500 unless told otherwise. Those that follow are counted. */
  readonly rows?: number | undefined;
}

const network = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    const message = dataset.typed ? networkProblem(dataset.value) : undefined;
    if (message !== undefined) addIssue({ message });
  }),
);
const name = v.pipe(v.string(), v.nonEmpty("an identity has a name"));
const oneOrMore = <Entry extends typeof network | typeof name>(entry: Entry) =>
  v.optional(v.union([entry, v.pipe(v.array(entry), v.minLength(1, "the list names nobody"))]));
const teller = v.custom<NonNullable<WaterfallOptions["on"]>>(
  (value) => typeof value === "function",
  "on is a function",
);

const schema = v.strictObject({
  log: v.optional(v.union([v.boolean(), v.picklist(["debug", "info", "warn", "error"])])),
  spans: v.optional(v.union([v.boolean(), v.literal("auto")])),
  on: v.optional(teller),
  each: v.optional(v.picklist(["session", "message"])),
  only: v.optional(
    v.strictObject({
      client: oneOrMore(network),
      identity: oneOrMore(name),
      slowerThan: v.optional(v.pipe(v.number(), v.finite(), v.minValue(0, "milliseconds are not negative"))),
      failed: v.optional(v.boolean()),
      refused: v.optional(v.boolean()),
    }),
  ),
  rows: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100_000))),
});

/** Shows what every plugin did to a session and how long it took: every tap in order, its verdict and its edits. */
export const waterfall = definePlugin<WaterfallOptions>({
  name: "waterfall",
  version: "1.0.0",
  core: "^1.0.0",
  options: { schema, keys: Object.keys(schema.entries) },
  async apply(host, { log = true, spans = "auto", on, each, only = {}, rows }) {
    const tellers: ((told: Waterfall, session: Session) => void | Promise<void>)[] = [];
    if (log !== false) tellers.push(logTeller(host, log === true ? "info" : log));
    const telemetry = spans === false ? undefined : await load(spans, host);
    const scope = { name: "@mailhost/plugin-waterfall", version: waterfall.definition.version };
    if (telemetry !== undefined) tellers.push((told, session) => tellSpans(telemetry, scope, told, session));
    if (on !== undefined) tellers.push(on);
    if (tellers.length === 0) return; // nobody listens: nothing is measured
    const wanted = wantedWaterfall(only);
    const collector = new Collector(
      (told, session) => {
        if (wanted(told)) for (const tell of tellers) attempt(host, () => tell(told, session));
      },
      { rows, each, wanted: wantedClient(only) },
    );
    host.hooks.trace.tap({ name: "waterfall", bodies: false }, (event) => collector.see(event));
    host.onClose(() => collector.finish());
  },
});
export default waterfall;

/** The program's own, when it is there. */
async function load(spans: true | "auto", host: Host): Promise<Telemetry | undefined> {
  try {
    return await import("@opentelemetry/api");
  } catch (error) {
    if (spans === true) throw noTelemetry(error);
    host.log.debug({}, "waterfall makes no spans: @opentelemetry/api is not installed");
    return undefined;
  }
}

const noTelemetry = (error: unknown): ConfigurationError =>
  new ConfigurationError([
    {
      code: "BAD_OPTION",
      where: "options.spans",
      what: `waterfall is to make spans, and cannot load @opentelemetry/api: ${describeError(error)}`,
      mend: "npm install @opentelemetry/api, and an SDK that exports; or spans: false.",
    },
  ]);

const logTeller = (host: Host, level: keyof Log) => (told: Waterfall) => host.log[level](told, inWords(told));

/** `waterfall of MJ…: 7 taps took 31.2 ms, most of it queue maildir (28.0 ms)`. */
function inWords({ session, rows }: Waterfall): string {
  const taps = rows.filter((row) => row.type === "tap");
  const sum = taps.reduce((all, { milliseconds }) => all + milliseconds, 0);
  const [slowest] = taps.toSorted((one, other) => other.milliseconds - one.milliseconds);
  const most =
    slowest === undefined
      ? ""
      : `, the slowest ${slowest.hook} ${slowest.plugin} ${slowest.milliseconds.toFixed(1)} ms`;
  return `waterfall of ${session}: ${taps.length} taps took ${sum.toFixed(1)} ms${most}`;
}

/** A program's function, or its tracer, harms neither the others nor the session, whatever it does. */
function attempt(host: Host, tell: () => void | Promise<void>): void {
  const failed = (error: unknown): void =>
    host.log.error({ err: error }, `a waterfall could not be told: ${describeError(error)}`);
  try {
    Promise.resolve(tell()).catch(failed);
  } catch (error) {
    failed(error);
  }
}
