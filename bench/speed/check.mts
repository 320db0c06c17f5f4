// What CI holds mailhost to. CPU ratios move on a machine that others use, so one that looks worse is measured again, and
// is worse only if it looks so every time. Counts do not move: system calls and garbage are compared at once.
import type { Counts } from "./counts.mts";
import type { Run } from "./run.mts";
import type { Row } from "./statistics.mts";

/** A fifth, as the issue of the ratios has it; for what is counted, only what belongs to another thread may come between. */
const allowed = { ratio: 1.2, calls: 1.02, garbage: 1.1 };

/** Rounds of the first look, and of each further one at what looked worse. */
export const looks: readonly number[] = [3, 7, 11, 15];

export const steadyRatio = (row: Row | undefined): number | undefined => row?.["mission"]?.ratio;

export const isWorse = (was: number | undefined, is: number | undefined): boolean =>
  was !== undefined && is !== undefined && !(is <= allowed.ratio * was);

/** What the next check is held to: of each workload the largest of three looks. Who is called worse should be. */
export async function heldRatios(
  titles: readonly string[],
  look: (title: string, rounds: number) => Promise<Row>,
): Promise<Record<string, number>> {
  const held: Record<string, number> = {};
  for (const title of titles) {
    const ratios: number[] = [];
    for (let count = 0; count < 3; count += 1) ratios.push(steadyRatio(await look(title, 7)) ?? NaN);
    held[title] = Math.max(...ratios);
  }
  return held;
}

/** Looks at each workload until it is no worse than before, or worse in every look. Gives what is worse. */
export async function worseRatios(
  before: Run,
  titles: readonly string[],
  look: (title: string, rounds: number) => Promise<Row>,
): Promise<string[]> {
  const found: string[] = [];
  for (const title of titles) {
    const was = before.held?.[title];
    if (was === undefined) continue;
    const ratios: number[] = [];
    for (const rounds of looks) {
      const is = steadyRatio(await look(title, rounds));
      if (!isWorse(was, is)) break;
      ratios.push(is ?? NaN);
    }
    if (ratios.length === looks.length)
      found.push(
        `${title}: x${was.toFixed(2)} of limit before, ${ratios.map((one) => `x${one.toFixed(2)}`).join(", ")} now`,
      );
  }
  return found;
}

/** Counts depend on what Node itself does: they are those of one major version. */
export const sameNode = (before: Run, version: string): boolean =>
  before.on["Node"]?.split(".")[0] === version.split(".")[0];

export const worseCounts = (before: Run["counts"], now: Readonly<Record<string, Counts>>): string[] =>
  Object.entries(now).flatMap(([title, its]) =>
    (["calls", "garbage"] as const).flatMap((what) => {
      const [was, is] = [before?.[title]?.[what], its[what]];
      if (was === undefined || is === undefined || is <= allowed[what] * was) return [];
      return [`${title}: ${what} a message were ${was.toFixed(1)} and are ${is.toFixed(1)}`];
    }),
  );
