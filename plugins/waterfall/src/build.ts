import { type Edit, type TraceEvent, describeEdit, printable, replyLines } from "@mailhost/core";
import type { Note, Progress } from "./progress.ts";
import { type Row, type TapRow, type Verdict, type Waterfall, waterfallVersion } from "./record.ts";

type TapEvent = Extract<TraceEvent, { type: "tap" }>;

/** Longest text of somebody else's that stands in a record. */
const mostCharacters = 500;

/** Most edits of one tap that stand in a record; those behind them are counted in its words. */
const mostEdits = 50;

/** The record of what was noted until `time`. */
export function buildWaterfall(progress: Progress, time: number): Waterfall {
  const { session, opened, part, end, dropped } = progress;
  const rows = buildRows(progress.notes, opened);
  const transactions = new Set(rows.flatMap(({ transaction }) => transaction ?? []));
  return {
    v: waterfallVersion,
    session: session.id,
    transactions: [...transactions],
    listener: session.listener,
    client: session.client.address,
    ...(session.identity === undefined ? {} : { identity: clean(session.identity.name) }),
    startedAt: new Date(progress.startedAt).toISOString(),
    milliseconds: rounded(time - opened),
    part,
    ...(end === undefined ? {} : { end }),
    rows,
    dropped,
  };
}

function buildRows(notes: readonly Note[], opened: number): Row[] {
  // Where the last thing of a transaction ended: its answer came so much later
  const ends = new Map<string, number>();
  const ended = (transaction: string | undefined, time: number): void => {
    if (transaction !== undefined) ends.set(transaction, Math.max(time, ends.get(transaction) ?? 0));
  };
  return notes.map((note) => {
    if (note.type === "body") {
      const { time, until, transaction, octets } = note;
      ended(transaction, until);
      return { type: "body", ...span(opened, time, until - time), transaction, octets };
    }
    if (note.type === "tap") {
      ended(note.event.transaction, note.time);
      return tapRow(note, opened);
    }
    const { event, time } = note;
    if (event.type === "route") return routeRow(event, span(opened, time, 0));
    const { transaction, reply } = event;
    const since = ends.get(transaction) ?? time;
    return { type: "delivered", ...span(opened, since, time - since), transaction, reply: replyLines(reply) };
  });
}

function tapRow({ event, time }: Note & { type: "tap" }, opened: number): TapRow {
  const { hook, plugin, version, tap, milliseconds, outcome, transaction, recipient } = event;
  const edits = event.edits.slice(0, mostEdits).map(cleanEdit);
  const more = event.edits.length - edits.length;
  return {
    type: "tap",
    ...span(opened, time - milliseconds, milliseconds),
    ...(transaction === undefined ? {} : { transaction }),
    hook,
    plugin,
    version,
    tap,
    verdict: verdictOf(event),
    ...(outcome.kind === "refused" ? { reply: replyLines(outcome.reply) } : {}),
    ...(outcome.kind === "failed" ? { error: clean(outcome.error) } : {}),
    edits,
    words: [...edits.map(describeEdit), ...(more > 0 ? [`${more} more`] : [])],
    ...(recipient === undefined ? {} : { recipient: clean(recipient) }),
  };
}

function routeRow(event: Extract<TraceEvent, { type: "route" }>, times: ReturnType<typeof span>): Row {
  const { transaction, recipient, transport, nexthop } = event;
  const row = { type: "route", ...times, transaction, recipient: clean(recipient), transport } as const;
  return nexthop === undefined ? row : { ...row, nexthop: clean(nexthop) };
}

const verdictOf = ({ outcome }: TapEvent): Verdict =>
  outcome.kind === "failed" && outcome.ignored ? "ignored" : outcome.kind;

/** Names and targets may be made of what a client said. */
function cleanEdit(edit: Edit): Edit {
  switch (edit.kind) {
    case "identify":
      return { ...edit, identity: clean(edit.identity) };
    case "route":
      return { ...edit, nexthop: edit.nexthop === undefined ? undefined : clean(edit.nexthop) };
    case "add":
    case "replace":
    case "remove":
      return { ...edit, field: clean(edit.field) };
    default:
      return edit;
  }
}

/** Almost all texts are: what `printable` looks for is far more to look for. */
const plain = /^[ -~]*$/;

function clean(text: string): string {
  const cut = text.length > mostCharacters ? `${text.slice(0, mostCharacters)}...` : text;
  return plain.test(cut) ? cut : printable(cut);
}

const span = (opened: number, from: number, milliseconds: number): { start: number; milliseconds: number } => ({
  start: rounded(Math.max(0, from - opened)),
  milliseconds: rounded(Math.max(0, milliseconds)),
});

const rounded = (milliseconds: number): number => Math.round(milliseconds * 1000) / 1000;
