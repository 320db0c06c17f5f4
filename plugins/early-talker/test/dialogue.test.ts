import { type MailhostOptions, type Plugin, definePlugin } from "@mailhost/core";
import { starttls } from "@mailhost/plugin-starttls";
import { type Client, type TestHost, host, sink, transcript } from "@mailhost/testkit";
import { describe, expect, onTestFinished, test } from "vitest";
import earlyTalker, { type EarlyTalkerOptions } from "../src/index.ts";

const refusal = "554 5.5.1 You spoke before the greeting";
const greeting = "220 mx.example.com ESMTP";

/** A server with the plugin, on a clock that stands still. */
async function serve(options: EarlyTalkerOptions = {}, more: Partial<MailhostOptions> = {}): Promise<TestHost> {
  const { plugins = [], clock: _clock, resolver: _resolver, ...rest } = more;
  const server = await host({ plugins: [earlyTalker(options), sink(), ...plugins], ...rest });
  onTestFinished(() => server.close());
  return server;
}

/** Everything has happened that happens without time. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const told = (server: TestHost): string[] =>
  server.log
    .filter(({ message }) => message.includes("spoke before"))
    .map(({ level, message }) => `${level} ${message}`);

describe("a client that waits", () => {
  test("is greeted after two seconds, not before, and served", async () => {
    const server = await serve();
    const polite = server.client();
    await settled();
    server.clock.advance(1999);
    await settled();
    expect(polite.lines).toEqual([]);
    server.clock.advance(1);
    expect(await polite.line()).toBe(greeting);
    await polite.ask("EHLO client.test");
    expect(await polite.deliver({ to: "jane@example.com" })).toEqual([expect.stringMatching(/^250 2\.0\.0 /)]);
    expect(told(server)).toEqual([]);
  });

  test("waits as long as the options say", async () => {
    const server = await serve({ wait: 500 });
    const polite = server.client();
    await settled();
    server.clock.advance(500);
    expect(await polite.line()).toBe(greeting);
  });

  test("waits no longer than that when other plugins took their time", async () => {
    const slow = definePlugin({
      name: "slow",
      version: "1.0.0",
      core: "^1.0.0",
      apply: ({ hooks, clock }) =>
        hooks.connect.tapAsync("slow", (_session, _signal, callback) => void clock.after(1500, () => callback())),
    });
    const server = await serve({}, { plugins: [slow()] });
    const polite = server.client();
    await settled();
    server.clock.advance(2000);
    expect(await polite.line()).toBe(greeting);
  });

  test("costs two timers, its own and its deadline, and none once it is greeted or gone", async () => {
    const server = await serve();
    const one = server.client();
    await settled();
    const core = 1; // the patience of core, one timer for all
    const each = server.clock.waiting - core;
    const others = Array.from({ length: 999 }, () => server.client());
    await settled();
    expect(server.clock.waiting).toBe(core + each * 1000);
    expect(each).toBe(2);
    for (const other of others) other.hangUp();
    expect(server.clock.waiting).toBe(core + each);
    server.clock.advance(2000);
    expect(await one.line()).toBe(greeting);
    expect(server.clock.waiting).toBe(core);
    expect(server.log.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
  });
});

describe("a client that speaks first", () => {
  test("is refused, and what it said is not run", () =>
    transcript(
      { plugins: [earlyTalker(), sink()], early: "EHLO bot.test\r\nMAIL FROM:<a@bot.test>" },
      `
      S: ${refusal}
      S: <close>
    `,
    ));

  test.each(["EHLO bot.test\r\n", "E", "\r\n", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", "\0"])(
    "within the wait is refused at its end: %j",
    async (octets) => {
      const server = await serve();
      const bot = server.client();
      await settled();
      server.clock.advance(1990);
      bot.send(Buffer.from(octets, "latin1"));
      await settled();
      server.clock.advance(10);
      expect(await bot.closed()).toBe(true);
      expect(bot.lines).toEqual([refusal]);
      // The refusal is in the trace: whoever logs refusals has its line
      expect(told(server)).toEqual([]);
    },
  );

  test("and half closes hears why", async () => {
    const server = await serve();
    const bot = server.client({ early: "QUIT" });
    bot.endInput();
    await settled();
    expect(bot.lines).toEqual([refusal]);
  });

  test("and sends without end is not read without end", async () => {
    const server = await serve();
    const bot = server.client();
    await settled();
    expect(await bot.pour(new Uint8Array(64 * 1024))).toBe(true);
    expect(bot.wire.paused).toBe(true);
    server.clock.advance(2000);
    expect(await bot.line()).toBe(refusal);
  });

  test("is only noted when told so, and other plugins can see it", async () => {
    const seen: boolean[] = [];
    const watch = definePlugin({
      name: "watch",
      version: "1.0.0",
      core: "^1.0.0",
      apply: ({ hooks }) => hooks.ehlo.tap("watch", (_greeting, session) => void seen.push(session.spokeEarly)),
    });
    const server = await serve({ action: "note" }, { plugins: [watch()] });
    const bot = server.client();
    await settled();
    bot.send("EHLO bot.test");
    server.clock.advance(2000);
    expect(await bot.line()).toBe(greeting);
    expect((await bot.reply())[0]).toMatch(/^250-/);
    expect(seen).toEqual([true]);
    expect(told(server)).toEqual(["info 192.0.2.1 spoke before the greeting"]);
  });

  test("leaves before the end of the wait: nothing is said, nothing is logged", async () => {
    const server = await serve();
    const bot = server.client();
    await settled();
    bot.send("EHLO bot.test");
    bot.hangUp();
    server.clock.advance(5000);
    await settled();
    expect(bot.lines).toEqual([]);
    expect(server.log.filter(({ level }) => level !== "debug")).toEqual([]);
  });
});

/** Speaks first, and says what it is answered. */
async function early(server: TestHost, options: { readonly client?: string; readonly listener?: string } = {}) {
  const bot: Client = server.client({ early: "EHLO bot.test", ...options });
  return bot.line();
}

describe("exempt", () => {
  test("clients are greeted at once, whatever they do, without a timer that stays", async () => {
    const server = await serve({ exempt: ["192.0.2.0/24", "2001:db8::/48"] });
    expect(await early(server)).toBe(greeting);
    expect(await early(server, { client: "2001:db8::7" })).toBe(greeting);
    expect(await server.client().line()).toBe(greeting);
    expect(await early(server, { client: "198.51.100.1" })).toBe(refusal);
    expect(server.clock.waiting).toBe(1); // the patience of core
  });

  test("is this machine, unless told otherwise", async () => {
    const server = await serve();
    for (const client of ["127.0.0.1", "127.9.9.9", "::1"]) expect(await early(server, { client })).toBe(greeting);
    expect(await early(await serve({ exempt: [] }), { client: "127.0.0.1" })).toBe(refusal);
  });

  test("are submission clients, unless told otherwise", async () => {
    const listeners = [
      { name: "transfer", port: 0 },
      { name: "submission", port: 0, mode: "submission" },
    ] as const;
    const usual = await serve({}, { listeners });
    expect(await early(usual, { listener: "submission" })).toBe(greeting);
    expect(await early(usual, { listener: "transfer" })).toBe(refusal);
    const both = await serve({ modes: ["submission", "transfer"] }, { listeners });
    expect(await early(both, { listener: "submission" })).toBe(refusal);
  });
});

describe("what comes before the greeting by design", () => {
  /** `FOR address`, as a proxy would say it. */
  const intermediary = (): Plugin =>
    definePlugin({
      name: "intermediary",
      version: "1.0.0",
      core: "^1.0.0",
      apply: (one) =>
        one.extend({
          preamble: {
            kind: "read",
            octets: 64,
            read(octets) {
              const line = /^FOR (\S+)\r\n/.exec(Buffer.from(octets).toString("latin1"));
              return line === null ? undefined : { used: line[0].length, client: { address: line[1] ?? "" } };
            },
          },
        }),
    })();

  test("a preamble is not the client's, what stands behind it is", async () => {
    const server = await serve({}, { plugins: [intermediary()] });
    const polite = server.client({ client: "127.0.0.1", early: "FOR 198.51.100.1" });
    await settled();
    expect(polite.lines).toEqual([]);
    server.clock.advance(2000);
    expect(await polite.line()).toBe(greeting);

    const bot = server.client({ client: "127.0.0.1", early: "FOR 198.51.100.1\r\nEHLO bot.test" });
    expect(await bot.line()).toBe(refusal);
  });

  test("a TLS handshake is not the client's word either", async () => {
    const tls = starttls({ selfSigned: true });
    const listeners = [{ name: "submissions", port: 0, mode: "submission", tls: "implicit" }] as const;
    const server = await serve({ modes: ["submission"] }, { plugins: [tls], listeners });
    const polite = server.client();
    await settled();
    server.clock.advance(2000);
    expect(await polite.line()).toBe(greeting);
  });

  test("nobody is asked to wait again behind STARTTLS", async () => {
    const server = await serve({ action: "note" }, { plugins: [starttls({ selfSigned: true })] });
    const bot = server.client();
    await settled();
    bot.send("EHLO bot.test");
    server.clock.advance(2000);
    expect(await bot.line()).toBe(greeting);
    await bot.reply();
    expect(await bot.ask("STARTTLS")).toEqual([expect.stringMatching(/^220 /)]);
    expect((await bot.ask("EHLO bot.test"))[0]).toMatch(/^250-/);
    expect(told(server)).toHaveLength(1);
  });
});

test.each([
  [{ wait: 0 }, /option wait .*: at least 1 millisecond/],
  [{ wait: 60_000 }, /option wait .*: at most 25000/],
  [{ wait: 1.5 }, /wait/],
  [{ action: "drop" }, /action/],
  [{ exempt: ["example.com"] }, /exempt\[0\] .*is no IP address and no network/],
  [{ modes: ["relay"] }, /modes/],
  [{ delay: 5 }, /delay/],
])("%j is an error at start", async (options, problem) => {
  // @ts-expect-error plain JavaScript may say anything
  await expect(host({ plugins: [earlyTalker(options), sink()] })).rejects.toThrow(problem);
});
