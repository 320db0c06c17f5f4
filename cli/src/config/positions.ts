/** A place in a text, both counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/**
 * Where the setting at `where` (`plugins[0].options.root`) stands in JSON or YAML, or the nearest setting around it.
 * Only for messages: what it does not understand it passes over.
 */
export function positionOf(text: string, where: string): Position | undefined {
  const offsets = offsetsOf(text);
  for (let path = where; path !== ""; path = parent(path)) {
    // ["maildir", { root }] holds its options in the second place
    const offset = offsets.get(path) ?? offsets.get(path.replace(/\.options(?=$|[.[])/, "[1]"));
    if (offset !== undefined) return place(text, offset);
  }
  return undefined;
}

/** One step shorter, whatever it is. */
function parent(path: string): string {
  const shorter = path.replace(/(?:^|\.)[^.[\]]+$|\[\d+\]$/, "");
  return shorter === path ? path.slice(0, -1) : shorter;
}

function place(text: string, offset: number): Position {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

type Offsets = Map<string, number>;

function offsetsOf(text: string): Offsets {
  const offsets: Offsets = new Map();
  const start = /^\uFEFF?\s*(?=[{[])/.exec(text);
  if (start !== null) scanFlow(text, start[0].length, "", offsets);
  else scanBlock(text, offsets);
  return offsets;
}

const under = (base: string, key: string): string => (base === "" ? key : `${base}.${key}`);

/** Reads `{ … }`, `[ … ]` or a scalar at `from`, JSON and YAML alike. Returns the offset behind it. */
function scanFlow(text: string, from: number, path: string, offsets: Offsets): number {
  const open = text[from];
  if (open !== "{" && open !== "[") return scalarEnd(text, from);
  let at = blankEnd(text, from + 1);
  for (let index = 0; at < text.length && text[at] !== "}" && text[at] !== "]"; index += 1) {
    const start = at;
    let inside = `${path}[${index}]`;
    if (open === "{") {
      at = scalarEnd(text, at);
      inside = under(path, unquoted(text.slice(start, at)));
      at = blankEnd(text, at);
      if (text[at] === ":") at = blankEnd(text, at + 1);
    }
    offsets.set(inside, start);
    at = blankEnd(text, scanFlow(text, at, inside, offsets));
    if (text[at] === ",") at = blankEnd(text, at + 1);
    if (at === start) return text.length;
  }
  return at + 1;
}

function scalarEnd(text: string, from: number): number {
  const rest = text.slice(from);
  const quoted = /^"(?:[^"\\]|\\.)*"|^'(?:[^']|'')*'/s.exec(rest);
  return from + (quoted ?? /^(?:[^,:{}[\]\n]|:(?=\S))*/.exec(rest) ?? [""])[0].length;
}

/** Behind blanks, line ends and comments. */
const blankEnd = (text: string, from: number): number =>
  from + (/^(?:\s|#[^\n]*)*/.exec(text.slice(from)) ?? [""])[0].length;

const unquoted = (key: string): string => key.trim().replace(/^(["'])(.*)\1$/s, "$2");

/** A mapping or a sequence that is open, with the path of what was read last. */
interface Open {
  readonly kind: "map" | "list";
  readonly indent: number;
  readonly base: string;
  path: string;
  count: number;
}

/** Block style, line by line: indentation says what belongs to what. */
function scanBlock(text: string, offsets: Offsets): void {
  const stack: Open[] = [];
  const enter = (kind: Open["kind"], indent: number): Open => {
    while ((stack.at(-1)?.indent ?? -1) > indent) stack.pop();
    if (kind === "map" && stack.at(-1)?.kind === "list" && stack.at(-1)?.indent === indent) stack.pop();
    const top = stack.at(-1);
    if (top?.kind === kind && top.indent === indent) return top;
    const opened: Open = { kind, indent, base: top?.path ?? "", path: top?.path ?? "", count: -1 };
    stack.push(opened);
    return opened;
  };
  /** Returns the offset behind what it read of the line. */
  const readNode = (offset: number, indent: number): number => {
    const rest = text.slice(offset).split("\n", 1)[0] ?? "";
    const item = /^-(?:\s+|$)/.exec(rest);
    if (item !== null) {
      const list = enter("list", indent);
      list.count += 1;
      list.path = `${list.base}[${list.count}]`;
      offsets.set(list.path, offset + item[0].length);
      return readNode(offset + item[0].length, indent + item[0].length);
    }
    if (rest.startsWith("{") || rest.startsWith("[")) return scanFlow(text, offset, stack.at(-1)?.path ?? "", offsets);
    const key = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#:'"&!|>][^:]*?)\s*:(?:\s+|$)/.exec(rest);
    if (key === null) return offset + rest.length;
    const map = enter("map", indent);
    map.path = under(map.base, unquoted(key[1] ?? ""));
    offsets.set(map.path, offset);
    const value = offset + key[0].length;
    return /[{[]/.test(text[value] ?? "") && value <= offset + rest.length
      ? scanFlow(text, value, map.path, offsets)
      : offset + rest.length;
  };
  for (let at = 0; at < text.length;) {
    const line = text.slice(at).split("\n", 1)[0] ?? "";
    const blank = /^\s*/.exec(line)?.[0].length ?? 0;
    const skip = blank === line.length || line[blank] === "#" || /^(---|\.\.\.|%)/.test(line);
    const end = skip ? at + line.length : readNode(at + blank, blank);
    const next = text.indexOf("\n", end);
    at = next < 0 ? text.length : next + 1;
  }
}
