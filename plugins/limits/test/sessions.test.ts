import { definePlugin } from "@mailhost/core";
import { type Client, TestClock, sink } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { limits } from "../src/index.ts";
import { banner, call, greeted, off, serve, welcome } from "./kit.ts";
import { login, password } from "./login.ts";

const one = { concurrency: { address: 1, network: 1, identity: 1 } } as const;

/** A verb that names another client, as XCLIENT does, and one that changes the layer below, as STARTTLS does. */
const vocabulary = definePlugin({
  name: "vocabulary",
  version: "1.0.0",
  core: "^1.0.0",
  apply: (host) =>
    host.extend({
      verbs: {
        XASSUME: {
          last: true,
          octets: 512,
          phases: ["new", "ready"],
          run: (_judges, _state, argument) => ({ go: "assume", client: { address: argument } }),
        },
        XUPGRADE: {
          last: true,
          octets: 512,
          phases: ["new", "ready"],
          run: () => ({ go: "upgrade", reply: { code: 220, text: "Go" }, upgrade: { upgrade: "test" } }),
        },
      },
    }),
});

const plugins = () => [vocabulary(), login(), sink(), limits({ ...off, ...one })];

describe("a place is free when its session is over, wherever it was", () => {
  const open = ["EHLO client.test", `AUTH XWORD ${password("jane")}`, "MAIL FROM:<>", "RCPT TO:<joe@example.com>"];

  test.each<[string, (speaker: Client) => Promise<unknown> | void]>([
    ["before a word", () => {}],
    ["behind EHLO", (speaker) => speaker.ask("EHLO client.test")],
    ["amid a line", (speaker) => speaker.send(new TextEncoder().encode("EHLO cli"))],
    ["logged in", (speaker) => asked(speaker, open.slice(0, 2))],
    ["amid a transaction", (speaker) => asked(speaker, open)],
    ["amid a message", async (speaker) => {
      await asked(speaker, [...open, "DATA"]);
      speaker.send("Subject: x");
    }],
    ["behind a message", async (speaker) => {
      await asked(speaker, open.slice(0, 2));
      await speaker.deliver({ to: "joe@example.com" });
    }],
    ["in TLS", (speaker) => asked(speaker, ["EHLO client.test", "XUPGRADE", ...open])],
    ["logged in before TLS and as another in it", (speaker) =>
      asked(speaker, [...open, "RSET", "XUPGRADE", "EHLO client.test", `AUTH XWORD ${password("john")}`, ...open.slice(2)])],
    ["as another client", (speaker) => asked(speaker, ["XASSUME 192.0.2.77", ...open])],
    ["after too many errors", (speaker) => asked(speaker, Array.from({ length: 12 }, () => "DATA"))],
  ])("%s", async (_where, bring) => {
    const server = await serve({}, { plugins: plugins() });
    for (let count = 0; count < 3; count += 1) {
      const { speaker, banner: said } = await call(server);
      expect(said).toBe(welcome);
      await bring(speaker);
      if (!speaker.ended) expect(await banner(server, "192.0.2.77")).toMatch(/^421 /);
      speaker.hangUp();
    }
    const last = await greeted(server, "192.0.2.1", "jane");
    expect(await last.deliver({ to: "joe@example.com" })).toEqual([expect.stringMatching(/^250 /)]);
  }); // prettier-ignore

  test("when its time is over", async () => {
    const server = await serve(one);
    expect(await banner(server)).toBe(welcome);
    server.clock.advance(300_000);
    expect(await banner(server)).toBe(welcome);
  });
});

const asked = async (speaker: Client, lines: readonly string[]): Promise<void> => {
  for (const line of lines) if (!speaker.ended) await speaker.ask(line);
};

describe("an assumed client", () => {
  test("is counted in place of the one before it", async () => {
    const server = await serve({}, { plugins: plugins() });
    const { speaker } = await call(server, "192.0.2.1");
    expect(await speaker.ask("XASSUME 2001:db8::1")).toEqual([welcome]);
    expect(await banner(server, "192.0.2.1")).toBe(welcome);
    expect(await banner(server, "2001:db8::1")).toMatch(/^421 /);
  });

  test("that has no place is refused, and leaves none taken", async () => {
    const server = await serve({}, { plugins: plugins() });
    const there = await call(server, "2001:db8::1");
    const { speaker } = await call(server, "192.0.2.1");
    expect(await speaker.ask("XASSUME 2001:db8::1")).toEqual([expect.stringMatching(/^421 /)]);
    expect(await banner(server, "192.0.2.1")).toBe(welcome);
    there.speaker.hangUp();
    expect(await banner(server, "2001:db8::1")).toBe(welcome);
  });
});

describe("a reload", () => {
  test("forgets neither what was counted nor who is there, and puts new numbers in force", async () => {
    const rate = { points: 3, duration: 60 };
    const wide = { ...off.concurrency, address: 10 };
    const server = await serve({ connections: { address: rate }, concurrency: wide });
    const { speaker } = await call(server);
    await banner(server);
    await server.reload({ plugins: [sink(), limits({ ...off, connections: { address: { ...rate, points: 2 } } })] });
    expect(await banner(server)).toMatch(/^421 /);
    await server.reload({ plugins: [sink(), limits({ ...off, concurrency: { ...off.concurrency, address: 3 } })] });
    expect(await banner(server)).toBe(welcome);
    expect(await banner(server)).toMatch(/^421 /);
    speaker.hangUp(); // it began two generations ago
    expect(await banner(server)).toBe(welcome);
    expect(await banner(server)).toMatch(/^421 /);
  });

  test("that fails changes nothing", async () => {
    const server = await serve({ connections: { address: { points: 1, duration: 60 } } });
    expect(await banner(server)).toBe(welcome);
    await expect(server.reload({ plugins: [sink(), limits({ keys: 0 })] })).rejects.toThrow("keys");
    expect(await banner(server)).toMatch(/^421 /);
  });
});

test("a client that leaves while the store thinks has no place for ever", async () => {
  const asked: ((answer: { consumedPoints: number }) => void)[] = [];
  const limiter = {
    consume: () => new Promise<{ consumedPoints: number }>((resolve) => asked.push(resolve)),
    get: async () => null,
  };
  const server = await serve({
    ...one,
    connections: { address: { points: 9, duration: 60 }, network: false },
    store: () => limiter,
  });
  const speaker = server.client();
  await new Promise((resolve) => setImmediate(resolve));
  speaker.hangUp();
  for (const answer of asked) answer({ consumedPoints: 1 });
  await new Promise((resolve) => setImmediate(resolve));
  const next = server.client();
  await new Promise((resolve) => setImmediate(resolve));
  for (const answer of asked) answer({ consumedPoints: 2 });
  expect(await next.reply()).toEqual([welcome]);
});

test("what is only played is neither counted nor limited", async () => {
  const rate = { points: 1, duration: 60 };
  const server = await serve({
    ...one,
    connections: { address: rate },
    faults: { address: rate },
    recipients: { address: rate },
  });
  for (let count = 0; count < 3; count += 1) {
    const { speaker, banner: said } = await call(server, "192.0.2.1", { dryRun: true });
    expect(said).toBe(welcome);
    await asked(speaker, ["EHLO client.test", "XYZZY", "XYZZY", "MAIL FROM:<>", "RCPT TO:<a@example.com>"]);
    expect(await speaker.ask("RCPT TO:<b@example.com>")).toEqual(["250 2.1.5 Recipient ok"]);
  }
  expect(await banner(server)).toBe(welcome);
});

test("listeners count together", async () => {
  const listeners = [{ name: "one", port: 1 }, { name: "two", port: 2 }]; // prettier-ignore
  const rates = limits({ ...off, concurrency: { ...off.concurrency, address: 2 } });
  const server = await serve({}, { plugins: [sink(), rates], listeners });
  for (const listener of ["one", "two"]) expect((await call(server, "192.0.2.1", { listener })).banner).toBe(welcome);
  for (const listener of ["one", "two"])
    expect((await call(server, "192.0.2.1", { listener })).banner).toMatch(/^421 /);
});

test("two under two names count apart", async () => {
  const rate = { points: 1, duration: 60 };
  const here = limits({ ...off, messages: { address: rate } }, { as: "here" });
  const there = limits({ ...off, messages: { address: rate } }, { as: "there" });
  const server = await serve({}, { plugins: [sink(), here, there], clock: new TestClock() });
  const speaker = await greeted(server);
  expect(await speaker.deliver({ to: "joe@example.com" })).toEqual([expect.stringMatching(/^250 /)]);
  expect(await speaker.deliver({ to: "joe@example.com" })).toEqual([expect.stringMatching(/^450 /)]);
});
