import { random } from "../../../core/test/laws/form.ts";
import type { Choose } from "./draft.ts";

/** How far one looks: all ways up to so many, and beyond them so many at random. */
export interface Patience {
  readonly most: number;
  readonly atRandom: number;
  readonly seed: number;
}

/**
 * Everything that can be made by choosing, each way once: what was chosen last is chosen anew until nothing is left.
 * Where there are too many ways: as many as patience allows, then the first way all along, the last all along, and some
 * at random.
 */
export function* everyWay<T>(make: (choose: Choose) => T, { most, atRandom, seed }: Patience): Generator<T> {
  const chosen: { way: number; of: number }[] = [];
  for (let count = 0; count < most; count += 1) {
    let depth = 0;
    yield make((of) => {
      if (of < 2) return 0;
      const here = (chosen[depth] ??= { way: 0, of });
      depth += 1;
      return here.way;
    });
    while (chosen.at(-1)?.way === (chosen.at(-1)?.of ?? 0) - 1) chosen.pop();
    const last = chosen.at(-1);
    if (last === undefined) return;
    last.way += 1;
  }
  yield make((of) => of - 1);
  const pick = random(seed);
  for (let count = 0; count < atRandom; count += 1) yield make(pick);
}
