/**
 * One input: octets as the network might cut them, one character per octet. What a piece that begins with `~`
 * means is the target's affair, when it knows it: `~end` closes a client's half of the connection.
 */
export type Pieces = readonly string[];

export const octetsOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
export const textOf = (octets: Uint8Array): string => Buffer.from(octets).toString("latin1");

type Stored = string | readonly (string | readonly [unit: string, times: number])[];

/** One line of a corpus. What is repeated often is written once, with a number: corpora are read by people. */
export function written(pieces: Pieces): string {
  return JSON.stringify(pieces.map(shortened));
}

function shortened(piece: string): Stored {
  const parts: (string | readonly [string, number])[] = [];
  let from = 0;
  for (const matched of piece.matchAll(/([^]{1,40}?)\1{15,}/g)) {
    const [all, unit = ""] = matched;
    if (matched.index > from) parts.push(piece.slice(from, matched.index));
    parts.push([unit, all.length / unit.length]);
    from = matched.index + all.length;
  }
  if (parts.length === 0) return piece;
  if (from < piece.length) parts.push(piece.slice(from));
  return parts;
}

export const read = (line: string): Pieces =>
  (JSON.parse(line) as Stored[]).map((piece) =>
    typeof piece === "string"
      ? piece
      : piece.map((part) => (typeof part === "string" ? part : part[0].repeat(part[1]))).join(""),
  );
