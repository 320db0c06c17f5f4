import type { Pieces } from "./input.ts";

/** Something that takes octets, and the laws it is held to. */
export interface Target {
  /** Words to make inputs of. */
  readonly tokens: readonly string[];
  /** Octets of an input at most. */
  readonly most: number;
  /** Throws what is wrong. Gives the milliseconds of its longest step, in which nobody else is heard. */
  run(pieces: Pieces, watch: Stopwatch): Promise<number>;
  close(): Promise<void>;
}

/** Nobody waits longer for one client. */
export const stallMilliseconds = 100;

/** Begins to measure; what it gives tells the milliseconds since. */
export type Stopwatch = () => () => number;

export const clock: Stopwatch = () => {
  const from = performance.now();
  return () => performance.now() - from;
};

/** Leaves out when others had the processor. Looking at it costs more than most steps do. */
export const processorClock: Stopwatch = () => {
  const told = clock();
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return Math.min(told(), (user + system) / 1000);
  };
};
