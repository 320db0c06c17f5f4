import { describe } from "./guard.ts";
import type { Clock, Log } from "./services.ts";

/** Milliseconds over which failures are counted, and after which a plugin without one works again. */
const window = 60_000;

/** So many failures within the window, of at most so many calls each, and the plugin is reported as failing. */
const manyFailures = 5;
const callsEach = 100;

/** A plugin that keeps failing, for `Mailhost.failing`. */
export interface FailingPlugin {
  readonly listener: string;
  readonly plugin: string;
  /** Calls of its taps since the first of these failures, and how many of them failed. */
  readonly calls: number;
  readonly failures: number;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** What it failed with last. */
  readonly error: string;
}

/**
 * How the taps of one plugin fare on one listener. A call costs an addition; time is looked at when something fails,
 * and as long as the plugin counts as failing.
 */
export class Health {
  readonly #plugin: string;
  readonly #listener: string;
  #calls = 0;
  #failures = 0;
  #since = 0;
  #lastAt = -Infinity;
  #toldAt = -Infinity;
  #error = "";
  #failing = false;

  constructor(plugin: string, listener: string) {
    this.#plugin = plugin;
    this.#listener = listener;
  }

  /** A tap was called. */
  called({ clock, log }: { clock: Clock; log: Log }): void {
    this.#calls += 1;
    if (this.#failing && clock.now() - this.#lastAt >= window) this.#recover(log);
  }

  /** A call failed: it is told when there were many, and once a minute as long as they go on. */
  failed(error: unknown, { clock, log }: { clock: Clock; log: Log }): void {
    const now = clock.now();
    if (!this.#failing && now - this.#since >= window) this.#begin(now);
    this.#failures += 1;
    this.#lastAt = now;
    this.#error = describe(error);
    const many = this.#failures >= manyFailures && this.#failures * callsEach >= this.#calls;
    if (!many || now - this.#toldAt < window) return;
    this.#failing = true;
    this.#toldAt = now;
    log.error({ ...this.#facts, rate: this.#failures / this.#calls }, this.#words(now));
  }

  /** Undefined as long as it works. `now` in milliseconds since the epoch. */
  failing(now: number): FailingPlugin | undefined {
    return this.#failing && now - this.#lastAt < window ? this.#facts : undefined;
  }

  get #facts(): FailingPlugin {
    const facts = { listener: this.#listener, plugin: this.#plugin, calls: this.#calls, failures: this.#failures };
    return { ...facts, since: this.#since, error: this.#error };
  }

  #words(now: number): string {
    const seconds = Math.round((now - this.#since) / 1000);
    const rate = `${this.#failures} of ${this.#calls} calls failed in ${seconds} s (${Math.round((100 * this.#failures) / this.#calls)} %)`;
    return `plugin ${this.#plugin} is failing: ${rate}, the last with: ${this.#error}`;
  }

  #recover(log: Log): void {
    log.info(this.#facts, `plugin ${this.#plugin} works again: no failure for ${window / 1000} s`);
    this.#failing = false;
    this.#toldAt = -Infinity;
    this.#since = -Infinity;
  }

  #begin(now: number): void {
    this.#since = now;
    this.#calls = 1;
    this.#failures = 0;
  }
}
