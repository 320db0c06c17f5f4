import type { Pieces } from "./input.ts";

/** Milliseconds it may take: what is left over is small enough to read. */
const patience = 15_000;

/** The smallest input found, within so many tries, that `keeps` what the given one does. */
export async function minimised(
  pieces: Pieces,
  keeps: (candidate: Pieces) => Promise<boolean>,
  tries = 2000,
): Promise<Pieces> {
  let best = pieces;
  let left = tries;
  const late = performance.now() + patience;
  const better = async (candidate: Pieces): Promise<boolean> => {
    if (left <= 0 || performance.now() > late || candidate.length === 0) return false;
    left -= 1;
    if (!(await keeps(candidate))) return false;
    best = candidate;
    return true;
  };
  const shrink = async (): Promise<void> => {
    for (let size = best.length; size >= 1; size = Math.floor(size / 2))
      for (let at = 0; at < best.length;) if (!(await better(best.toSpliced(at, size)))) at += size;
    for (let at = 0; at + 1 < best.length;)
      if (!(await better(best.toSpliced(at, 2, best.slice(at, at + 2).join(""))))) at += 1;
    for (let index = 0; index < best.length; index += 1)
      for (let size = best[index]?.length ?? 0; size >= 1; size = Math.floor(size / 2))
        for (let at = 0; at < (best[index]?.length ?? 0);) {
          const text = best[index] ?? "";
          if (!(await better(best.toSpliced(index, 1, text.slice(0, at) + text.slice(at + size))))) at += size;
        }
  };
  for (let before = -1; before !== best.join("").length + best.length && left > 0;) {
    before = best.join("").length + best.length;
    await shrink();
  }
  return best;
}
