import { type Row, type TapRow, type Waterfall, isCommit } from "./record.ts";

/** Colours a text, or leaves it alone. */
export type Paint = (style: "bold" | "red" | "green" | "cyan", text: string) => string;

type Cells = readonly [start: string, took: string, what: string, who: string, outcome: string];

const heads: Cells = ["start", "ms", "hook", "plugin", "outcome"];

/** The waterfall as a table for people: one line a row, a line before each transaction. No line feed at its end. */
export function formatWaterfall(waterfall: Waterfall, paint: Paint = (_style, text) => text): string {
  const rows = waterfall.rows.map((row) => ({ row, cells: cellsOf(row) }));
  const widths = heads.map((head, at) => Math.max(head.length, ...rows.map(({ cells }) => cells[at]?.length ?? 0)));
  const lines = [paint("bold", titleOf(waterfall)), `  ${align(heads, widths)}`];
  let transaction: string | undefined;
  for (const { row, cells } of rows) {
    if (row.transaction !== transaction) {
      transaction = row.transaction;
      lines.push(transaction === undefined ? "outside of transactions" : `transaction ${transaction}`);
    }
    lines.push(paintRow(row, `  ${align(cells, widths)}`, paint));
  }
  if (waterfall.dropped > 0) lines.push(`  and ${waterfall.dropped} more`);
  return lines.join("\n");
}

function titleOf({ session, part, listener, client, identity, milliseconds, end }: Waterfall): string {
  const whole = part === 1 ? "" : `, part ${part}`;
  const who = identity === undefined ? client : `${client} (${identity})`;
  const ended = end === undefined ? "" : `, ${end}`;
  return `session ${session}${whole}, listener ${listener}, client ${who}, ${milliseconds.toFixed(1)} ms${ended}`;
}

function cellsOf(row: Row): Cells {
  const times = [row.start.toFixed(1), row.type === "route" ? "" : row.milliseconds.toFixed(1)] as const;
  switch (row.type) {
    case "tap":
      return [...times, row.hook, nameOf(row), outcomeOf(row)];
    case "body":
      return [...times, "(body)", "", `${row.octets} octets`];
    case "route":
      return [...times, "(route)", "", `${row.recipient} -> ${row.transport}${target(row.nexthop)}`];
    case "delivered":
      return [...times, "(answer)", "", row.reply.join(" / ")];
  }
}

const target = (nexthop: string | undefined): string => (nexthop === undefined ? "" : ` (${nexthop})`);

const nameOf = ({ plugin, version, tap }: TapRow): string =>
  tap === plugin ? `${plugin} ${version}` : `${plugin} ${version}, ${tap}`;

/** In words what a tap came to: its verdict, what it did, to whom. */
export function outcomeOf(row: TapRow): string {
  const { verdict, reply = [], error = "", words, recipient } = row;
  const did = isCommit(row) ? "committed" : words.join(", ");
  const about = recipient === undefined ? "" : ` [${recipient}]`;
  switch (verdict) {
    case "silent":
      return (did === "" ? "silent" : did) + about;
    case "refused":
      return `refuses: ${reply.join(" / ")}${words.length === 0 ? "" : ` (${did})`}${about}`;
    case "failed":
      return `fails: ${error}${about}`;
    case "ignored":
      return `fails (ignored): ${error}${about}`;
    case "late":
      return `too late${about}`;
  }
}

function paintRow(row: Row, line: string, paint: Paint): string {
  if (row.type === "route") return paint("cyan", line);
  if (row.type === "delivered") return paint(row.reply[0]?.startsWith("2") === true ? "green" : "red", line);
  if (row.type === "body" || (row.verdict === "silent" && row.words.length === 0)) return line;
  return paint(row.verdict === "silent" ? "green" : "red", line);
}

/** Numbers to the right, words to the left. */
const align = (cells: Cells, widths: readonly number[]): string =>
  cells
    .map((cell, at) => (at < 2 ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
    .join("  ")
    .trimEnd();
