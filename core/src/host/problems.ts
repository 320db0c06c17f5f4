/** One thing that is wrong with a configuration: what, where, and how to mend it. */
export interface Problem {
  /** Stable, for programs: `UNKNOWN_OPTION`. */
  readonly code: ProblemCode;
  readonly what: string;
  /** Path into the configuration: `listeners[1].plugins[0].options.root`. */
  readonly where: string;
  readonly mend: string;
  /** Which package another version of would mend it: where its plugin is configured, and the versions wanted. */
  readonly update?: { readonly where: string; readonly range: string };
}

export type ProblemCode =
  | "UNKNOWN_PLUGIN"
  | "BAD_PLUGIN"
  | "BAD_MANIFEST"
  | "CORE_VERSION"
  | "MISSING_REQUIREMENT"
  | "UNKNOWN_OPTION"
  | "BAD_OPTION"
  | "DUPLICATE_NAME"
  | "TWO_OWNERS"
  | "UNKNOWN_ORDER"
  | "UNKNOWN_TRANSPORT"
  | "ORDER_CYCLE"
  | "NO_HANDLER"
  | "NO_VERIFIER"
  | "NO_TLS"
  | "BAD_LISTENER"
  | "LISTEN_FAILED"
  | "APPLY_FAILED"
  | "OPEN_RELAY"
  | "BAD_FILE"
  | "TOO_LATE";

/** A configuration that cannot be put in force, with everything that is wrong with it. */
export class ConfigurationError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(({ where, what, mend }) => `${where === "" ? "" : `${where}: `}${what}. ${mend}`).join("\n"));
    this.name = "ConfigurationError";
    this.problems = problems;
  }
}

/** The nearest of `known`, when it is near enough to be a slip of the pen. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known.map((one) => ({ one, far: distance(word.toLowerCase(), one.toLowerCase()) }));
  ranked.sort((a, b) => a.far - b.far);
  const best = ranked[0];
  return best !== undefined && best.far <= Math.max(1, Math.floor(word.length / 3)) ? best.one : undefined;
}

/** How to mend a word that is none of those: the one that was meant, or all there are. */
export function meant(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return near === undefined ? `There are: ${known.join(", ") || "none"}.` : `Did you mean ${near}?`;
}

/** Changes from one word to the other, two letters swapped counting as one (optimal string alignment). */
function distance(from: string, to: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const change = (previous[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      const swapped = from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const swap = swapped ? (before[j - 2] ?? Infinity) + 1 : Infinity;
      row.push(Math.min(change, swap, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    [before, previous] = [previous, row];
  }
  return previous[to.length] ?? 0;
}
