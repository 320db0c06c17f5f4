import type { Host } from "@mailhost/core";
import { type Counter, MemoryCounter } from "./counter.ts";
import { Limit, type Part, whom } from "./limit.ts";
import { MemoryTable } from "./memory.ts";
import { type LimitsOptions, type Per, type Rate, defaults } from "./options.ts";
import { redisStore } from "./redis.ts";
import { StoreCounter, type StoreFactory, StoreHealth, makeLimiter } from "./store.ts";

/** Makes what counts. Tables outlive reloads: rules may change, what was counted stays. */
export class Counters {
  readonly #host: Host;
  readonly #tables: Map<string, MemoryTable>;
  readonly #keys: number;
  readonly #store: StoreFactory | undefined;
  readonly #health: StoreHealth;
  readonly #insured: boolean;

  private constructor(
    host: Host,
    tables: Map<string, MemoryTable>,
    { keys = defaults.keys, onStoreFailure }: LimitsOptions,
    store: StoreFactory | undefined,
  ) {
    this.#host = host;
    this.#tables = tables;
    this.#keys = keys;
    this.#store = store;
    this.#health = new StoreHealth(host);
    this.#insured = onStoreFailure !== "defer";
  }

  static async open(host: Host, options: LimitsOptions): Promise<Counters> {
    const tables = await host.shared("tables", () => new Map<string, MemoryTable>());
    const { store } = options;
    return new Counters(host, tables, options, typeof store === "string" ? await redisStore(host, store) : store);
  }

  /** A counter under a name that no other has. `points` are those that are let through. */
  async make(name: string, { points, duration, blockDuration = 0 }: Rate): Promise<Counter> {
    const tableName = `${name} ${duration}`;
    const table = this.#tables.get(tableName) ?? new MemoryTable(this.#host.clock);
    this.#tables.set(tableName, table);
    const rule = { points, duration: duration * 1000, block: blockDuration * 1000, keys: this.#keys };
    const memory = new MemoryCounter(table, rule);
    if (this.#store === undefined) return memory;
    const keyPrefix = `mailhost:${this.#host.name}:${name.replace(" ", ":")}`;
    const limiter = await makeLimiter(this.#store, { keyPrefix, points, duration, blockDuration });
    return new StoreCounter(limiter, points, this.#health, this.#insured ? memory : undefined);
  }

  /** `refusesFull`: what is counted has happened, so that the last one let through is the one that fills it. */
  async limit(name: string, rates: Per<Rate>, refusesFull = false): Promise<Limit> {
    const parts: Part[] = [];
    for (const per of whom) {
      const rate = rates[per];
      if (rate === undefined || rate === false) continue;
      const points = refusesFull ? rate.points - 1 : rate.points;
      const counter = await this.make(`${name} ${per}`, { ...rate, points });
      parts.push({ per, points: rate.points, counter });
    }
    return new Limit(parts);
  }
}
