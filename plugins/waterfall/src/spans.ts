import type { Session } from "@mailhost/core";
import type * as OpenTelemetry from "@opentelemetry/api";
import type { Attributes, Context, HrTime, Span, Tracer } from "@opentelemetry/api";
import { type DeliveredRow, type Row, type TapRow, type Waterfall, isCommit, isFailure } from "./record.ts";
import { outcomeOf } from "./table.ts";

export type Telemetry = typeof OpenTelemetry;

/** Name and version of the instrumentation, as OpenTelemetry's scope. */
export interface Scope {
  readonly name: string;
  readonly version: string;
}

/**
 * Makes spans of a record that is whole: one for the session, one for each transaction, one for each tap, commit and body.
 * The tracer is the program's; where it has none, or does not sample this session, nothing is made.
 */
export function tellSpans(
  telemetry: Telemetry,
  { name, version }: Scope,
  waterfall: Waterfall,
  session: Session,
): void {
  const tracer = telemetry.trace.getTracer(name, version);
  const opened = Date.parse(waterfall.startedAt);
  const time = (milliseconds: number): HrTime => hrTime(opened, milliseconds);
  const { rows } = waterfall;
  // A part begins where its first row does
  const start = waterfall.part === 1 ? 0 : startOf(rows);
  const whole = tracer.startSpan(
    "smtp session",
    { kind: telemetry.SpanKind.SERVER, startTime: time(start), attributes: ofSession(waterfall, session), root: true },
    telemetry.ROOT_CONTEXT,
  );
  if (whole.isRecording()) {
    const maker = new SpanMaker(telemetry, tracer, time);
    maker.children(rows, telemetry.trace.setSpan(telemetry.ROOT_CONTEXT, whole));
    maker.markFailed(whole, rows);
  }
  whole.end(time(Math.max(waterfall.milliseconds, endOfAll(rows))));
}

class SpanMaker {
  readonly #telemetry: Telemetry;
  readonly #tracer: Tracer;
  readonly #time: (milliseconds: number) => HrTime;

  constructor(telemetry: Telemetry, tracer: Tracer, time: (milliseconds: number) => HrTime) {
    this.#telemetry = telemetry;
    this.#tracer = tracer;
    this.#time = time;
  }

  /** Rows of one transaction stand below its span. */
  children(rows: readonly Row[], within: Context): void {
    const transactions = new Map<string, Row[]>();
    for (const row of rows) {
      const its = row.transaction === undefined ? undefined : transactions.get(row.transaction);
      if (row.transaction === undefined) this.#row(row, within);
      else if (its === undefined) transactions.set(row.transaction, [row]);
      else its.push(row);
    }
    for (const [id, its] of transactions) this.#transaction(id, its, within);
  }

  /** A failure that was ignored is one of the tap, not of what it was asked for. */
  markFailed(span: Span, rows: readonly Row[]): void {
    const failed = rows.find((row) => row.type === "tap" && row.verdict === "failed");
    if (failed?.type === "tap") this.#fail(span, `plugin ${failed.plugin} failed in ${failed.hook}`);
  }

  #transaction(id: string, rows: readonly Row[], within: Context): void {
    const startTime = this.#time(startOf(rows));
    const span = this.#tracer.startSpan("smtp transaction", { startTime, attributes: ofTransaction(id, rows) }, within);
    const below = this.#telemetry.trace.setSpan(within, span);
    for (const row of rows) this.#row(row, below);
    this.markFailed(span, rows);
    span.end(this.#time(endOfAll(rows)));
  }

  #row(row: Row, within: Context): void {
    if (row.type === "route" || row.type === "delivered") return; // they stand in the transaction's attributes
    const [name, attributes] = ofRow(row);
    const span = this.#tracer.startSpan(name, { startTime: this.#time(row.start), attributes }, within);
    if (isFailure(row) && row.type === "tap") this.#fail(span, outcomeOf(row));
    span.end(this.#time(endOf(row)));
  }

  #fail(span: Span, message: string): void {
    span.setStatus({ code: this.#telemetry.SpanStatusCode.ERROR, message });
  }
}

const endOf = ({ start, milliseconds }: Row): number => start + milliseconds;
const startOf = (rows: readonly Row[]): number => rows.reduce((first, { start }) => Math.min(first, start), Infinity);
const endOfAll = (rows: readonly Row[]): number => rows.reduce((last, row) => Math.max(last, endOf(row)), 0);

/** Seconds and nanoseconds: a number would be taken for one of two things, depending on its size. */
function hrTime(opened: number, milliseconds: number): HrTime {
  const whole = Math.floor(milliseconds);
  const since = opened + whole;
  const seconds = Math.floor(since / 1000);
  return [seconds, (since - seconds * 1000) * 1_000_000 + Math.round((milliseconds - whole) * 1_000_000)];
}

function ofSession(waterfall: Waterfall, { client, local, serverName, mode, tls }: Session): Attributes {
  const { session, listener, identity, part, end, dropped } = waterfall;
  return {
    "client.address": client.address,
    "client.port": client.port,
    "server.address": serverName,
    "server.port": local.port,
    "network.local.address": local.address,
    "network.local.port": local.port,
    "network.transport": "tcp",
    "network.protocol.name": "smtp",
    "mailhost.session.id": session,
    "mailhost.listener.name": listener,
    "mailhost.listener.mode": mode,
    ...(identity === undefined ? {} : { "user.name": identity }),
    ...(tls === undefined ? {} : ofTls(tls)),
    ...(part === 1 ? {} : { "mailhost.session.part": part }),
    ...(end === undefined ? {} : { "mailhost.session.end": end }),
    ...(dropped === 0 ? {} : { "mailhost.rows.dropped": dropped }),
  };
}

/** `TLSv1.3` is protocol `tls`, version `1.3`. */
const ofTls = ({ protocol, cipher }: NonNullable<Session["tls"]>): Attributes => ({
  "tls.protocol.name": "tls",
  "tls.protocol.version": protocol.replace(/^TLSv/, ""),
  "tls.cipher": cipher,
});

function ofTransaction(id: string, rows: readonly Row[]): Attributes {
  const answer = rows.find((row): row is DeliveredRow => row.type === "delivered");
  const routes = rows.flatMap((row) => (row.type === "route" ? [`${row.recipient} -> ${row.transport}`] : []));
  return {
    "mailhost.transaction.id": id,
    ...(routes.length === 0 ? {} : { "mailhost.transaction.routes": routes }),
    ...(answer === undefined ? {} : ofReply(answer.reply)),
  };
}

function ofRow(row: Exclude<Row, { type: "route" | "delivered" }>): [name: string, attributes: Attributes] {
  switch (row.type) {
    case "tap":
      return [`${isCommit(row) ? "commit" : row.hook} ${row.plugin}`, ofTap(row)];
    case "body":
      return ["body", { "mailhost.body.size": row.octets }];
  }
}

const ofTap = ({ hook, plugin, version, tap, verdict, reply, error, words, recipient }: TapRow): Attributes => ({
  "mailhost.hook": hook,
  "mailhost.plugin.name": plugin,
  "mailhost.plugin.version": version,
  "mailhost.tap": tap,
  "mailhost.verdict": verdict,
  ...(words.length === 0 ? {} : { "mailhost.edits": [...words] }),
  ...(recipient === undefined ? {} : { "mailhost.recipient": recipient }),
  ...(reply === undefined ? {} : ofReply(reply)),
  ...(error === undefined ? {} : { "error.message": error }),
});

const ofReply = (reply: readonly string[]): Attributes => ({
  "mailhost.reply.code": Number.parseInt(reply[0] ?? "", 10),
  "mailhost.reply.text": reply.join("\n"),
});
