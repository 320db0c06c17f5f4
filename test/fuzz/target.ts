import type { Pieces } from "./input.ts";

/** Something that takes octets, and the laws it is held to. */
export interface Target {
  /** Words to make inputs of. */
  readonly tokens: readonly string[];
  /** Octets of an input at most. */
  readonly most: number;
  /** Throws what is wrong. Gives the milliseconds of its longest step, in which nobody else is heard. */
  run(pieces: Pieces): Promise<number>;
  close(): Promise<void>;
}

/** Nobody waits longer for one client. */
export const stallMilliseconds = 100;

/** Runs something and gives the milliseconds it took. */
export function timed(step: () => void): number {
  const from = performance.now();
  step();
  return performance.now() - from;
}
