import { TestClock, sink } from "@mailhost/testkit";
import { RateLimiterMemory } from "rate-limiter-flexible";
import { describe, expect, test } from "vitest";
import { type StoreFactory, type StoreLimiter, limits } from "../src/index.ts";
import { banner, greeted, off, serve, welcome } from "./kit.ts";
import { password } from "./login.ts";

const rate = { points: 2, duration: 60 };
const connections = { address: rate, network: false } as const;

/** A store in this process that two servers share, as two processes share a Redis. */
function shared(): StoreFactory {
  const made = new Map<string, StoreLimiter>();
  return (options) => {
    const limiter = made.get(options.keyPrefix) ?? new RateLimiterMemory(options);
    made.set(options.keyPrefix, limiter);
    return limiter;
  };
}

/** A limiter that does what it is told, and counts what it is asked. */
function scripted(consume: () => Promise<{ consumedPoints: number }>) {
  const seen = { asked: 0 };
  const limiter: StoreLimiter = {
    consume: () => {
      seen.asked += 1;
      return consume();
    },
    get: async () => null,
  };
  return { seen, store: () => limiter };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("servers that share a store", () => {
  test("count together", async () => {
    const store = shared();
    const [first, second] = [await serve({ connections, store }), await serve({ connections, store })];
    expect(await banner(first)).toBe(welcome);
    expect(await banner(second)).toBe(welcome);
    expect(await banner(first)).toMatch(/^421 /);
    expect(await banner(second)).toMatch(/^421 /);
    expect(await banner(second, "192.0.2.2")).toBe(welcome);
  });

  test("messages, recipients, faults and wrong passwords too", async () => {
    const store = shared();
    const all = { messages: { address: rate }, authFailures: { address: rate, network: false as const } };
    const [first, second] = [await serve({ ...all, store }), await serve({ ...all, store })];
    const [here, there] = [await greeted(first), await greeted(second)];
    expect(await here.deliver({ to: "joe@example.com" })).toEqual([expect.stringMatching(/^250 /)]);
    expect(await there.deliver({ to: "joe@example.com" })).toEqual([expect.stringMatching(/^250 /)]);
    expect(await here.deliver({ to: "joe@example.com" })).toEqual([expect.stringMatching(/^450 4\.7\.1 /)]);
    for (const speaker of [await greeted(first), await greeted(second)])
      expect(await speaker.ask(`AUTH XWORD ${password("jane", "wrong")}`)).toEqual([expect.stringMatching(/^535 /)]);
    const last = await greeted(second);
    expect(await last.ask(`AUTH XWORD ${password("jane")}`)).toEqual([expect.stringMatching(/^421 4\.7\.0 /)]);
  });

  test("blocks included, and under keys that no client chose", async () => {
    const keys: string[] = [];
    const prefixes = new Map<string, object>();
    const store: StoreFactory = ({ keyPrefix, ...rest }) => {
      prefixes.set(keyPrefix, rest);
      return {
        consume: async (key) => {
          keys.push(key);
          return { consumedPoints: 1 };
        },
        get: async () => null,
      };
    };
    const server = await serve({ messages: { identity: { points: 5, duration: 60, blockDuration: 600 } }, store });
    for (const name of ["jane", "a:b\r\nDEL *"]) {
      const speaker = await greeted(server, "192.0.2.1", name);
      await speaker.deliver({ to: "joe@example.com" });
    }
    expect(prefixes).toEqual(
      new Map([["mailhost:limits:messages:identity", { points: 5, duration: 60, blockDuration: 600 }]]),
    );
    expect(keys).toEqual(["jane", expect.stringMatching(/^#[\w-]{43}$/)]);
  });
});

describe("a store that fails", () => {
  const fails = () => scripted(() => Promise.reject(new Error("ECONNREFUSED")));

  test("stops no mail: this process counts, and the log says so once", async () => {
    const { seen, store } = fails();
    const server = await serve({ connections, store });
    expect(await banner(server)).toBe(welcome);
    expect(await banner(server)).toBe(welcome);
    expect(await banner(server)).toMatch(/^421 4\.7\.0 Connecting too often/);
    expect(seen.asked).toBe(1);
    server.clock.advance(5000);
    expect(await banner(server, "192.0.2.2")).toBe(welcome);
    expect(seen.asked).toBe(2);
    expect(server.log.filter(({ level }) => level === "error").map(({ message }) => message)).toEqual([
      "the store of limits fails: ECONNREFUSED",
    ]);
  });

  test("and answers again counts again", async () => {
    let broken = true;
    const { store } = scripted(async () => {
      if (broken) throw new Error("ECONNREFUSED");
      return { consumedPoints: 1 };
    });
    const server = await serve({ connections, store });
    for (let count = 0; count < 3; count += 1) await banner(server);
    expect(await banner(server)).toMatch(/^421 /);
    broken = false;
    server.clock.advance(5000);
    expect(await banner(server)).toBe(welcome);
    expect(server.log.map(({ message }) => message)).toContain("the store of limits answers again");
  });

  test("by hanging is waited for a second, by one client", async () => {
    const { seen, store } = scripted(() => new Promise(() => {}));
    const server = await serve({ connections, store });
    const speaker = server.client();
    await turn();
    expect(speaker.lines).toEqual([]);
    server.clock.advance(1000);
    expect(await speaker.reply()).toEqual([welcome]);
    expect(await banner(server)).toBe(welcome);
    expect(seen.asked).toBe(1);
  });

  test.each([
    ["nonsense", async () => ({ consumedPoints: Number.NaN })],
    ["nothing", async () => undefined as never],
    ["a string", () => Promise.reject("down") as Promise<never>], // oxlint-disable-line prefer-promise-reject-errors
  ])("by giving %s is one that fails", async (_what, consume) => {
    const server = await serve({ connections, store: scripted(consume).store });
    expect(await banner(server)).toBe(welcome);
    expect(server.log.map(({ level }) => level)).toContain("error");
  });

  test("may be told to cost the client a 4yz", async () => {
    const messages = { address: rate };
    const server = await serve({ messages, store: fails().store, onStoreFailure: "defer" });
    const speaker = await greeted(server);
    expect(await speaker.deliver({ to: "joe@example.com" })).toEqual(["451 4.3.0 Temporary local problem"]);
    const closed = await serve({ connections, store: fails().store, onStoreFailure: "defer" });
    expect(await banner(closed)).toBe("421 4.3.0 Temporary local problem");
  });

  test("beside a session harms nobody", async () => {
    const server = await serve({ faults: { address: rate }, store: fails().store, onStoreFailure: "defer" });
    const speaker = server.client();
    await speaker.reply();
    expect(await speaker.ask("XYZZY")).toEqual(["500 5.5.1 Command not recognized"]);
    expect(await speaker.ask("QUIT")).toEqual([expect.stringMatching(/^221 /)]);
  });
});

test("a limiter that blocks in memory, and says so with no points, blocks", async () => {
  const answer = { consumedPoints: 0, msBeforeNext: 1000 };
  const server = await serve({ connections, store: scripted(() => Promise.reject(answer) as Promise<never>).store }); // oxlint-disable-line prefer-promise-reject-errors
  expect(await banner(server)).toMatch(/^421 /);
});

test.each([
  ["throws", () => { throw new Error("no client"); }, "the function of store failed: no client"],
  ["gives nothing", () => undefined as never, "the function of store gave no limiter of rate-limiter-flexible"],
] as const)("a function that %s is an error at start", async (_what, store, problem) => {
  const started = serve({}, { plugins: [sink(), limits({ ...off, connections, store })], clock: new TestClock() });
  await expect(started).rejects.toThrow(problem);
}); // prettier-ignore
