import { definePlugin, reject } from "@mailhost/core";
import { type TestHost, host, sink, transcript } from "@mailhost/testkit";
import { describe, expect, onTestFinished, test } from "vitest";
import { type LimitsOptions, limits } from "../src/index.ts";
import { banner, call, greeted, off, serve, welcome } from "./kit.ts";
import { login, password } from "./login.ts";

const mail = (plugins: Partial<LimitsOptions>, script: string) =>
  transcript(
    () => ({ plugins: [login(), sink(), limits({ ...off, ...plugins })] }),
    `
    S: 220 *
    C: EHLO client.test
    S: 250-*
    S: 250-*
    S: 250-*
    S: 250-*
    S: 250-*
    S: 250-*
    S: 250 *
    ${script}
  `,
  );

describe("rates", () => {
  test("connections of an address: beyond the limit 421 in place of the banner, until the time is over", async () => {
    const server = await serve({ connections: { address: { points: 2, duration: 60 } } });
    expect(await banner(server)).toBe(welcome);
    expect(await banner(server)).toBe(welcome);
    const third = await call(server);
    expect(third.banner).toBe("421 4.7.0 Connecting too often, try again later");
    expect(third.speaker.ended).toBe(true);
    expect(await banner(server, "192.0.2.2")).toBe(welcome);
    server.clock.advance(59_999);
    expect(await banner(server)).toMatch(/^421 /);
    server.clock.advance(1);
    expect(await banner(server)).toBe(welcome);
  });

  test("a block lasts as long as it says, however much is tried meanwhile", async () => {
    const server = await serve({ connections: { address: { points: 1, duration: 10, blockDuration: 300 } } });
    expect(await banner(server)).toBe(welcome);
    expect(await banner(server)).toMatch(/^421 /);
    server.clock.advance(299_000);
    expect(await banner(server)).toMatch(/^421 /);
    server.clock.advance(1000);
    expect(await banner(server)).toBe(welcome);
  });

  test("messages: the transaction beyond the limit is refused at its recipients, all of them", () =>
    mail(
      { messages: { address: { points: 1, duration: 60 } } },
      `
      C: MAIL FROM:<>
      S: 250 *
      C: RCPT TO:<jane@example.com>
      S: 250 *
      C: RCPT TO:<joe@example.com>
      S: 250 *
      C: DATA
      S: 354 *
      C: .
      S: 250 *
      C: MAIL FROM:<>
      S: 250 *
      C: RCPT TO:<jane@example.com>
      S: 450 4.7.1 Too many messages, try again later
      C: RCPT TO:<joe@example.com>
      S: 450 4.7.1 Too many messages, try again later
      C: DATA
      S: 554 5.5.1 *
      C: QUIT
      S: 221 *
    `,
    ));

  test("recipients, refused ones too", async () => {
    const server = await host({
      plugins: [sink({ everything: false }), limits({ ...off, recipients: { address: { points: 2, duration: 60 } } })],
    });
    onTestFinished(() => server.close());
    const speaker = await greeted(server);
    await speaker.ask("MAIL FROM:<>");
    expect(await speaker.ask("RCPT TO:<a@example.com>")).toEqual(["550 5.7.1 Relaying denied"]);
    expect(await speaker.ask("RCPT TO:<b@example.com>")).toEqual(["550 5.7.1 Relaying denied"]);
    expect(await speaker.ask("RCPT TO:<c@example.com>")).toEqual(["450 4.7.1 Too many recipients, try again later"]);
  });

  test("what an identity sends is counted wherever it comes from and however its name is spelt", async () => {
    const server = await serve({ messages: { identity: { points: 2, duration: 60 } } });
    const [first, second] = [await greeted(server, "192.0.2.1", "jane"), await greeted(server, "2001:db8::7", "JANE")];
    expect(await first.deliver({ to: "joe@example.com" })).toEqual([expect.stringMatching(/^250 /)]);
    expect(await second.deliver({ to: "joe@example.com" })).toEqual([expect.stringMatching(/^250 /)]);
    expect(await first.deliver({ to: "joe@example.com" })).toEqual(["450 4.7.1 Too many messages, try again later"]);
    const other = await greeted(server, "192.0.2.1", "john");
    expect(await other.deliver({ to: "joe@example.com" })).toEqual([expect.stringMatching(/^250 /)]);
    const stranger = await greeted(server);
    expect(await stranger.deliver({ to: "joe@example.com" })).toEqual([expect.stringMatching(/^250 /)]);
  });

  test("faults close the door for a while: the session under way, and those that come", async () => {
    const rough = limits({ ...off, faults: { address: { points: 3, duration: 600 } } });
    const server = await host({ plugins: [sink({ everything: false }), rough] });
    onTestFinished(() => server.close());
    const speaker = await greeted(server);
    await speaker.ask("XYZZY");
    await speaker.ask("MAIL FROM:<>");
    for (const name of ["a", "b"]) await speaker.ask(`RCPT TO:<${name}@example.com>`);
    expect(await speaker.ask("RCPT TO:<c@example.com>")).toEqual(["421 4.7.0 Too many errors, try again later"]);
    expect(speaker.ended).toBe(true);
    expect(await banner(server)).toBe("421 4.7.0 Too many errors, try again later");
    server.clock.advance(600_000);
    expect(await banner(server)).toBe(welcome);
  });
});

describe("guessing passwords", () => {
  const guess = async (server: TestHost, client: string, name = "jane", word = "wrong"): Promise<string> => {
    const speaker = await greeted(server, client);
    const [reply = ""] = await speaker.ask(`AUTH XWORD ${password(name, word)}`);
    speaker.hangUp();
    return reply;
  };

  test("is bounded across sessions: then not even the right one is looked at", async () => {
    const server = await serve({ authFailures: { address: { points: 3, duration: 60, blockDuration: 900 } } });
    for (let count = 0; count < 3; count += 1) expect(await guess(server, "192.0.2.1")).toMatch(/^535 /);
    const late = "421 4.7.0 Too many failed logins, try again later";
    expect(await guess(server, "192.0.2.1", "jane", "right")).toBe(late);
    expect(await guess(server, "192.0.2.9", "jane", "right")).toMatch(/^235 /);
    server.clock.advance(899_999);
    expect(await guess(server, "192.0.2.1", "jane", "right")).toBe(late);
    server.clock.advance(1);
    expect(await guess(server, "192.0.2.1", "jane", "right")).toMatch(/^235 /);
    expect(server.log.map(({ message }) => message)).toEqual(["too many wrong passwords, by address: 192.0.2.1"]);
  });

  test("right ones cost nothing", async () => {
    const server = await serve({ authFailures: { address: { points: 1, duration: 60 } } });
    for (let count = 0; count < 5; count += 1)
      expect(await guess(server, "192.0.2.1", "jane", "right")).toMatch(/^235 /);
    expect(await guess(server, "192.0.2.1")).toMatch(/^535 /);
    expect(await guess(server, "192.0.2.1", "jane", "right")).toMatch(/^421 /);
  });

  test("by network, and by the name that is tried", async () => {
    const rate = { points: 2, duration: 60 };
    const server = await serve({ authFailures: { network: rate, identity: rate } });
    await guess(server, "2001:db8:0:1::1", "jane");
    await guess(server, "2001:DB8:0:1:ffff::2", "joe");
    expect(await guess(server, "2001:db8::1:0:0:0:3", "john")).toMatch(/^421 /);
    await guess(server, "192.0.2.1", "jane");
    expect(await guess(server, "198.51.100.1", "Jane", "right")).toMatch(/^421 /);
    expect(await guess(server, "198.51.100.1", "john", "right")).toMatch(/^235 /);
  });
});

describe("concurrency", () => {
  test.each([
    ["address", "192.0.2.1", "192.0.2.2"],
    ["network", "192.0.2.200", "192.0.3.1"],
  ] as const)("of an %s: a place is free again when a session is over", async (per, same, other) => {
    const server = await serve({ concurrency: { ...off.concurrency, [per]: 2 } });
    const [first, second] = [await call(server), await call(server)];
    const third = await call(server, same);
    expect(third.banner).toBe("421 4.7.0 Too many connections at once, try again later");
    expect(third.speaker.ended).toBe(true);
    expect(await banner(server, other)).toBe(welcome);
    first.speaker.hangUp();
    expect(await banner(server, same)).toBe(welcome);
    expect(await banner(server, same)).toMatch(/^421 /);
    await second.speaker.ask("QUIT");
    expect(await banner(server, same)).toBe(welcome);
  });

  test("of an identity: at its first recipient", async () => {
    const server = await serve({ concurrency: { ...off.concurrency, identity: 1 } });
    const first = await greeted(server, "192.0.2.1", "jane");
    expect(await first.deliver({ to: "joe@example.com" })).toEqual([expect.stringMatching(/^250 /)]);
    const second = await greeted(server, "198.51.100.1", "jane");
    await second.ask("MAIL FROM:<>");
    expect(await second.ask("RCPT TO:<joe@example.com>")).toEqual([
      "421 4.7.0 Too many connections at once, try again later",
    ]);
    expect(second.ended).toBe(true);
    first.hangUp();
    const third = await greeted(server, "198.51.100.1", "jane");
    expect(await third.deliver({ to: "joe@example.com" })).toEqual([expect.stringMatching(/^250 /)]);
  });
});

describe("exempt", () => {
  test("networks are not limited; the identities of their clients are", async () => {
    const one = { points: 1, duration: 60 };
    const server = await serve({
      exempt: ["10.0.0.0/8", "2001:db8::/32"],
      connections: { address: one },
      concurrency: { ...off.concurrency, address: 1, identity: 1 },
      messages: { identity: one },
    });
    const first = await greeted(server, "10.1.2.3", "jane");
    expect(await first.deliver({ to: "joe@example.com" })).toEqual([expect.stringMatching(/^250 /)]);
    expect(await first.deliver({ to: "joe@example.com" })).toEqual([expect.stringMatching(/^450 /)]);
    expect(await banner(server, "10.1.2.3")).toBe(welcome);
    expect(await banner(server, "2001:db8::1")).toBe(welcome);
    expect(await banner(server, "2001:db8::1")).toBe(welcome);
    expect(await banner(server)).toBe(welcome);
    expect(await banner(server)).toMatch(/^421 /);
  });

  test("the loopback unless told otherwise", async () => {
    const server = await serve({ connections: { address: { points: 1, duration: 60 } } });
    for (const client of ["127.0.0.1", "127.0.0.1", "::1", "::1"]) expect(await banner(server, client)).toBe(welcome);
  });
});

describe("replies of one's own", () => {
  const replies = {
    concurrency: { code: 554, status: "5.7.0", text: "Go away" },
    recipients: { code: 452, status: "4.5.3", text: "Enough" },
    messages: { code: 421, status: "4.7.1", text: "Enough for today" },
  } as const;

  test("stand in place of the usual ones; 421 closes", async () => {
    const one = { points: 1, duration: 60 };
    const server = await serve({
      replies,
      concurrency: { ...off.concurrency, address: 2 },
      recipients: { address: one },
      messages: { identity: one },
    });
    const speaker = await greeted(server, "192.0.2.1", "jane");
    const another = await greeted(server, "192.0.2.1");
    expect(await banner(server)).toBe("554 5.7.0 Go away");
    await speaker.ask("MAIL FROM:<>");
    await speaker.ask("RCPT TO:<joe@example.com>");
    expect(await speaker.ask("RCPT TO:<john@example.com>")).toEqual(["452 4.5.3 Enough"]);
    await speaker.ask("RSET");
    await speaker.ask("MAIL FROM:<>");
    expect(await speaker.ask("RCPT TO:<joe@example.com>")).toEqual(["421 4.7.1 Enough for today"]);
    expect(speaker.ended).toBe(true);
    another.hangUp();
  });
});

test("a group of commands is answered in one write", async () => {
  const wide = { points: 1000, duration: 60 };
  const all = { address: wide, network: wide };
  const server = await serve({ messages: all, recipients: all, faults: all, tarpit: {} });
  const speaker = await greeted(server);
  const before = speaker.wire.writes.length;
  const recipients = Array.from({ length: 50 }, (_, index) => `RCPT TO:<box${index}@example.com>`);
  speaker.send(["MAIL FROM:<>", ...recipients, "DATA"].join("\r\n"));
  await speaker.heard(60);
  expect(speaker.wire.writes.length - before).toBe(1);
});

test("a plugin that refuses later does not keep the place", async () => {
  const server = await host({
    plugins: [
      sink(),
      limits({ ...off, concurrency: { ...off.concurrency, address: 1 } }),
      definePlugin({
        name: "closed",
        version: "1.0.0",
        core: "^1.0.0",
        apply: ({ hooks }) => hooks.connect.tap("closed", () => reject("Closed")),
      })(),
    ],
  });
  onTestFinished(() => server.close());
  for (let count = 0; count < 3; count += 1) expect(await banner(server)).toBe("554 5.7.1 Closed");
});
