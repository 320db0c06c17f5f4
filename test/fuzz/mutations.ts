import type { Pieces } from "./input.ts";

/** A number below `below`. */
export type Pick = (below: number) => number;

/** What mutations draw on. */
export interface Stock {
  readonly pick: Pick;
  readonly tokens: readonly string[];
  /** Another input of the corpus. */
  readonly other: () => Pieces;
  /** Octets of an input at most. */
  readonly most: number;
}

const odd = [
  "\0",
  "\t",
  "\n",
  "\r",
  " ",
  ".",
  "<",
  ">",
  "@",
  ":",
  '"',
  "\\",
  "=",
  "\x7f",
  "\x80",
  "\xc3",
  "\xbf",
  "\xff",
  "~",
  "[",
  "]",
  ",",
  "*",
  "0",
  "9",
  "a",
  "Z",
];
const numbers = [
  "0",
  "-1",
  "1",
  "255",
  "256",
  "65536",
  "26214400",
  "26214401",
  "4294967296",
  "18446744073709551616",
  "1e9",
  "00",
];

/** Somewhere in the text, and a length from there that is mostly short. */
function range({ pick }: Stock, text: string): [from: number, to: number] {
  const from = pick(text.length + 1);
  const most = pick(4) === 0 ? text.length - from : Math.min(8, text.length - from);
  return [from, from + (most > 0 ? 1 + pick(most) : 0)];
}

const one = <T>(pick: Pick, list: readonly T[], otherwise: T): T => list[pick(list.length)] ?? otherwise;

const put = (text: string, at: number, what: string, instead = 0): string =>
  text.slice(0, at) + what + text.slice(at + instead);

/** Changes within a piece. */
const inPiece: readonly ((text: string, stock: Stock) => string)[] = [
  (text, { pick }) => put(text, pick(text.length), one(pick, odd, "\0"), 1),
  (text, { pick }) => put(text, pick(text.length + 1), one(pick, odd, "\0")),
  (text, { pick }) => put(text, pick(text.length), String.fromCharCode(pick(256)), 1),
  (text, { pick, tokens }) => put(text, pick(text.length + 1), one(pick, tokens, "")),
  (text, stock) => {
    const [from, to] = range(stock, text);
    return put(text, from, "", to - from);
  },
  (text, stock) => {
    const [from, to] = range(stock, text);
    return put(text, from, one(stock.pick, stock.tokens, ""), to - from);
  },
  (text, stock) => {
    const [from, to] = range(stock, text);
    return put(text, stock.pick(text.length + 1), text.slice(from, to));
  },
  // Lengths around which servers break are far from what one octet more or less reaches
  (text, stock) => {
    const [from, to] = range(stock, text);
    const room = Math.max(1, Math.floor((stock.most - text.length) / Math.max(1, to - from)));
    const times = one(stock.pick, [1, 2, 8, 63, 64, 255, 256, 510, 512, 1000, 4096, 12_288], 1) - stock.pick(4);
    return put(text, from, text.slice(from, to).repeat(Math.max(1, Math.min(times, room))));
  },
  (text, stock) => {
    const [from, to] = range(stock, text);
    const part = text.slice(from, to);
    return put(text, from, stock.pick(2) === 0 ? part.toUpperCase() : part.toLowerCase(), to - from).replaceAll(
      /[^\0-\xff]/g,
      "?",
    );
  },
  (text, { pick }) => text.replace(/\d+/, () => one(pick, numbers, "0")),
];

/** Changes of lines. */
const ofLines: readonly ((lines: string[], pick: Pick) => string[])[] = [
  (lines, pick) => lines.toSpliced(pick(lines.length), 1),
  (lines, pick) => lines.toSpliced(pick(lines.length), 0, ...lines.slice(pick(lines.length)).slice(0, 1 + pick(3))),
  (lines, pick) => lines.toSpliced(pick(lines.length), 0, ...lines.splice(pick(lines.length), 1)),
];

/** Changes of the pieces, and of where they are cut. */
const ofPieces: readonly ((pieces: Pieces, at: number, stock: Stock) => Pieces)[] = [
  (pieces, at) => pieces.toSpliced(at, 1),
  (pieces, at) => pieces.toSpliced(at, 0, pieces[at] ?? ""),
  (pieces, at, { pick, tokens }) => pieces.toSpliced(at, 0, one(pick, tokens, "")),
  (pieces, at, { pick }) => {
    const text = pieces[at] ?? "";
    const cut = pick(text.length + 1);
    return pieces.toSpliced(at, 1, text.slice(0, cut), text.slice(cut));
  },
  (pieces, at) => pieces.toSpliced(at, 2, pieces.slice(at, at + 2).join("")),
  (pieces, at, { other, pick }) => {
    const more = other();
    return [...pieces.slice(0, at), ...more.slice(pick(more.length))];
  },
];

function once(pieces: Pieces, stock: Stock): Pieces {
  const { pick } = stock;
  const at = pick(pieces.length);
  const text = pieces[at] ?? "";
  const kind = pick(10);
  if (kind < 6) return pieces.toSpliced(at, 1, one(pick, inPiece, (same) => same)(text, stock));
  if (kind > 7) return one(pick, ofPieces, (same) => same)(pieces, at, stock);
  const lines = text.split(/(?<=\n)/);
  return pieces.toSpliced(at, 1, one(pick, ofLines, (same) => same)(lines, pick).join(""));
}

/** An input made of another by some changes. */
export function mutated(pieces: Pieces, stock: Stock): Pieces {
  let made: Pieces = pieces;
  for (let changes = 1 + stock.pick(2) * stock.pick(6); changes >= 0; changes -= 1) {
    const next = once(made, stock);
    if (next.length > 0 && next.length < 200 && next.join("").length <= stock.most) made = next;
  }
  return made;
}
