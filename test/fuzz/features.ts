/** What istanbul counts in one file: statements, functions, and the ways of each branch. */
interface Counted {
  readonly path: string;
  s: Record<string, number> | Uint32Array;
  f: Record<string, number> | Uint32Array;
  b: Record<string, number[] | Uint32Array>;
}

declare global {
  var counters: Record<string, Counted> | undefined;
}

/** 1, 2, 3, 4-7, 8-15, 16-31, 32-127, 128 and more, as AFL and libFuzzer tell counts apart. */
const buckets = Uint8Array.from({ length: 129 }, (_, count) =>
  count === 0 ? 0 : 1 << [1, 2, 3, 7, 15, 31, 127, Infinity].findIndex((most) => count <= most),
);

/** Branches of one file that were taken, of all it has. */
export interface Reached {
  readonly path: string;
  readonly taken: number;
  readonly branches: number;
}

/** The counters of core, laid out in one row, and which counts were ever seen. */
export class Features {
  readonly #row: Uint32Array;
  readonly #seen: Uint8Array;
  /** How many inputs of the corpus show it, by counter: what few show is rare. */
  readonly #branches: { path: string; from: number; to: number }[] = [];

  constructor(files = Object.values(globalThis.counters ?? {})) {
    const length = files.reduce(
      (sum, { s, f, b }) => sum + Object.keys(s).length + Object.keys(f).length + Object.values(b).flat().length,
      0,
    );
    this.#row = new Uint32Array(length);
    this.#seen = new Uint8Array(length);
    let at = 0;
    const take = (count: number): Uint32Array => this.#row.subarray(at, (at += count));
    for (const file of files) {
      // The code goes on counting, in the row: a typed array is as good as an object to it
      file.s = take(Object.keys(file.s).length);
      file.f = take(Object.keys(file.f).length);
      const from = at;
      for (const [branch, ways] of Object.entries(file.b)) file.b[branch] = take(ways.length);
      this.#branches.push({ path: file.path, from, to: at });
    }
  }

  /** Forgets what was counted, not what was seen. */
  begin(): void {
    this.#row.fill(0);
  }

  /** How many counts of this run were never seen before. Seen from now on. */
  fresh(): number {
    let fresh = 0;
    for (let at = 0; at < this.#row.length; at += 1) {
      const count = this.#row[at] ?? 0;
      if (count === 0) continue;
      const bucket = buckets[Math.min(count, 128)] ?? 0;
      const seen = this.#seen[at] ?? 0;
      if ((seen & bucket) !== 0) continue;
      this.#seen[at] = seen | bucket;
      fresh += 1;
    }
    return fresh;
  }

  /** The same counts as another run: what minimising an input keeps. */
  signature(): Uint8Array {
    return Uint8Array.from(this.#row, (count) => buckets[Math.min(count, 128)] ?? 0);
  }

  reached(): Reached[] {
    return this.#branches.map(({ path, from, to }) => ({
      path,
      branches: to - from,
      taken: this.#seen.subarray(from, to).filter((seen) => seen !== 0).length,
    }));
  }
}
