import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Delays } from "./probe.ts";
import { Served, end, hear, start } from "./serving.ts";
import type { Size, Workload } from "./workloads.ts";

export interface Measured {
  readonly workload: Workload;
  /** What the clients were told last. */
  readonly said: string;
  /** Peak of the resident memory over the baseline, octets. */
  readonly grown: number;
  /** Heap and buffers that a collection leaves over those before, octets. */
  readonly kept: number;
  readonly readWhileUnsent: number;
  /** Of another client meanwhile. */
  readonly delays: Delays;
}

/** A warm server with another client beside it. */
export class Bench {
  readonly #served: Served;
  readonly #probe: ChildProcess;

  constructor(served: Served, probe: ChildProcess) {
    this.#served = served;
    this.#probe = probe;
  }

  /** Warmed by so many milliseconds of ordinary messages: growth is counted from a server at work. */
  static async start(connections: number, warmMilliseconds: number): Promise<Bench> {
    const served = await Served.start(connections);
    const probe = start("probe.ts", [String(served.port)]);
    await hear(probe);
    await sleep(warmMilliseconds);
    return new Bench(served, probe);
  }

  /** Runs it once, and again until so many milliseconds have passed. */
  async measure(workload: Workload, size: Size, milliseconds = 0): Promise<Measured> {
    const before = await this.#served.ask("collect");
    await this.#delays();
    this.#served.forgetPeak();
    const resident = this.#served.resident;
    let said = "";
    const late = performance.now() + milliseconds;
    do said = await workload.run(this.#served.port, size);
    while (performance.now() < late);
    const grown = this.#served.peak - resident;
    const delays = await this.#delays();
    const after = await this.#served.ask("collect");
    const kept = after.heapUsed + after.external - before.heapUsed - before.external;
    return { workload, said, grown, kept, readWhileUnsent: after.readWhileUnsent, delays };
  }

  #delays(): Promise<Delays> {
    this.#probe.send("report");
    return hear<Delays>(this.#probe);
  }

  async close(): Promise<void> {
    await end(this.#probe);
    await this.#served.close();
  }
}
