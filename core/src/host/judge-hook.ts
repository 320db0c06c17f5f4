import { AsyncSeriesBailHook, SyncBailHook } from "tapable";
import { type Soon, calledBack } from "../protocol/soon.ts";
import { type Refusal, failure } from "./opinion.ts";
import type { Call } from "./run.ts";

/** A hook whose taps judge: asked one after the other until one refuses. Where all of them are sync, so is the answer (P4). */
export class JudgeHook<H, R extends readonly unknown[]> {
  readonly #series = new AsyncSeriesBailHook<[Call<H, R>], Refusal | undefined>(["call"]);
  /** The sync ones among them. */
  readonly #sync = new SyncBailHook<[Call<H, R>], Refusal | undefined>(["call"]);

  tap(name: string, judge: (call: Call<H, R>) => Refusal | undefined): void {
    this.#sync.tap(name, judge);
    this.#series.tap(name, judge);
  }

  tapAsync(name: string, judge: (call: Call<H, R>, done: (error: null, refusal?: Refusal) => void) => void): void {
    this.#series.tapAsync(name, judge);
  }

  /** Nobody judges here. */
  get isEmpty(): boolean {
    return this.#series.taps.length === 0;
  }

  /** The first refusal. */
  ask(call: Call<H, R>): Soon<Refusal | undefined> {
    if (this.#sync.taps.length < this.#series.taps.length) return this.#askInTurn(call);
    try {
      return this.#sync.call(call);
    } catch {
      return failure; // cannot happen: the guard lets no error through. If it does, nobody is let in by it
    }
  }

  #askInTurn(call: Call<H, R>): Soon<Refusal | undefined> {
    return calledBack((done) =>
      this.#series.callAsync(call, (error, refusal) => done(error instanceof Error ? failure : refusal)),
    );
  }
}
