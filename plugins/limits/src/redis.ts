import { type Host, type Log, describeError } from "@mailhost/core";
import { type StoreFactory, misconfigured } from "./store.ts";

/** What is used of a client of the package ioredis. */
interface RedisClient {
  connect(): Promise<void>;
  disconnect(): void;
  on(event: "error", call: (error: Error) => void): unknown;
}

type RedisClass = new (url: string, options: object) => RedisClient;

/** Whoever counts in memory does not install it. */
const clientPackage: string = "ioredis";

/** A limiter factory for the Redis at a URL: one connection for all limits, across reloads. */
export async function redisStore(host: Host, url: string): Promise<StoreFactory> {
  const { RateLimiterRedis } = await import("rate-limiter-flexible");
  const { log } = host; // what is shared outlives its first host
  const storeClient = await host.shared(
    `redis ${url}`,
    () => connect(log, url),
    (client) => client.disconnect(),
  );
  return (options) => new RateLimiterRedis({ storeClient, rejectIfRedisNotReady: true, ...options });
}

async function connect(log: Log, url: string): Promise<RedisClient> {
  const Redis = await loadClient();
  // What cannot be asked at once fails at once: nobody waits in a queue for a server that is not there
  const client = new Redis(url, { lazyConnect: true, enableOfflineQueue: false, maxRetriesPerRequest: 0 });
  client.on("error", (error) => log.debug({ err: error }, `redis: ${error.message}`));
  client.connect().catch(() => {}); // the first count tells, and says so in the log
  return client;
}

async function loadClient(): Promise<RedisClass> {
  try {
    const loaded: { readonly Redis: RedisClass } = await import(clientPackage);
    return loaded.Redis;
  } catch (error) {
    throw misconfigured(`a Redis needs the package ioredis: ${describeError(error)}`, "npm install ioredis");
  }
}
