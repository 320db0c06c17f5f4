import { monitorEventLoopDelay } from "node:perf_hooks";
import { stallMilliseconds } from "../target.ts";

/** Milliseconds between two looks at the clock. */
const interval = 10;

export interface LoopReport {
  /** Milliseconds the loop was late: the most, and what 999 of 1,000 looks did not exceed. */
  readonly worst: number;
  readonly p999: number;
  /** Milliseconds of the stalls in which this process was at work, and not merely waiting for a processor. */
  readonly stalls: readonly number[];
}

/** Watches the event loop of this process: how late it is, and whether that is its own doing. */
export class LoopWatch {
  readonly #delay = monitorEventLoopDelay({ resolution: interval });
  #stalls: number[] = [];
  #last = performance.now();
  #cpu = process.cpuUsage();

  constructor() {
    this.#delay.enable();
    setInterval(() => this.#look(), interval).unref();
  }

  #look(): void {
    const now = performance.now();
    const late = now - this.#last - interval;
    const { user, system } = process.cpuUsage(this.#cpu);
    this.#last = now;
    this.#cpu = process.cpuUsage();
    if (late > stallMilliseconds && (user + system) / 1000 > stallMilliseconds) this.#stalls.push(Math.round(late));
  }

  /** Since the last report. */
  report(): LoopReport {
    const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - interval);
    const told = { worst: late(this.#delay.max), p999: late(this.#delay.percentile(99.9)), stalls: this.#stalls };
    this.#delay.reset();
    this.#stalls = [];
    return told;
  }
}
