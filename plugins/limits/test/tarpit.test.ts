import type { Client, TestHost } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import type { LimitsOptions } from "../src/index.ts";
import { call, greeted, serve } from "./kit.ts";
import { password } from "./login.ts";

const tarpit = { after: 2, step: 1000, most: 3000, duration: 60, sessions: 2 } as const;
const tarred = (more: LimitsOptions = {}): Promise<TestHost> => serve({ tarpit, ...more });

/** So many faults, each answered at once. */
async function err(speaker: Client, times: number): Promise<void> {
  for (let count = 0; count < times; count += 1) await speaker.ask("MAIL TO:<>");
}

/** Milliseconds until the reply, by the server's clock. */
async function waits(server: TestHost, speaker: Client, line: string): Promise<number> {
  const before = speaker.lines.length;
  speaker.send(line);
  for (let milliseconds = 0; ; milliseconds += 500) {
    await new Promise((resolve) => setImmediate(resolve));
    if (speaker.lines.length > before) {
      await speaker.reply();
      return milliseconds;
    }
    server.clock.advance(500);
  }
}

describe("waits", () => {
  test("begin behind the faults that cost nothing, grow with each, and end somewhere", async () => {
    const server = await tarred();
    const { speaker } = await call(server);
    const seen: number[] = [];
    for (let faults = 0; faults < 7; faults += 1) {
      seen.push(await waits(server, speaker, "EHLO client.test"));
      await err(speaker, 1);
    }
    expect(seen).toEqual([0, 0, 0, 1000, 2000, 3000, 3000]);
  });

  test("are for EHLO, AUTH and RCPT, across sessions, and not for others", async () => {
    const server = await tarred();
    const { speaker } = await call(server);
    await err(speaker, 3);
    speaker.hangUp();
    const again = (await call(server)).speaker;
    expect(await waits(server, again, "EHLO client.test")).toBe(1000);
    expect(await waits(server, again, `AUTH XWORD ${password("jane")}`)).toBe(1000);
    expect(await waits(server, again, "MAIL FROM:<>")).toBe(0);
    expect(await waits(server, again, "RCPT TO:<joe@example.com>")).toBe(1000);
    const other = (await call(server, "192.0.2.2")).speaker;
    expect(await waits(server, other, "EHLO client.test")).toBe(0);
  });

  test("follow an IPv6 client through its network", async () => {
    const server = await tarred();
    const { speaker } = await call(server, "2001:db8::1");
    await err(speaker, 3);
    expect(await waits(server, (await call(server, "2001:db8::ffff:2")).speaker, "EHLO client.test")).toBe(1000);
    expect(await waits(server, (await call(server, "2001:db8:0:1::1")).speaker, "EHLO client.test")).toBe(0);
  });

  test("rise with wrong passwords from session to session", async () => {
    const server = await tarred();
    const seen: number[] = [];
    for (let count = 0; count < 5; count += 1) {
      const { speaker } = await call(server);
      await waits(server, speaker, "EHLO client.test");
      seen.push(await waits(server, speaker, `AUTH XWORD ${password("jane", "wrong")}`));
      speaker.hangUp();
    }
    expect(seen).toEqual([0, 0, 0, 1000, 2000]);
  });

  test("are over when the faults are forgotten", async () => {
    const server = await tarred();
    const { speaker } = await call(server);
    await err(speaker, 5);
    server.clock.advance(60_000);
    expect(await waits(server, speaker, "EHLO client.test")).toBe(0);
  });

  test("are for none whose network is exempt", async () => {
    const server = await tarred({ exempt: ["192.0.2.0/24"] });
    const { speaker } = await call(server);
    await err(speaker, 5);
    expect(await waits(server, speaker, "EHLO client.test")).toBe(0);
  });
});

describe("a tarpit holds no more than it says", () => {
  const full = async () => {
    const server = await tarred();
    const first = await greeted(server);
    await err(first, 5);
    const second = (await call(server)).speaker;
    for (const speaker of [first, second]) speaker.send("EHLO client.test");
    await new Promise((resolve) => setImmediate(resolve));
    const third = (await call(server)).speaker;
    return { server, first, second, third };
  };

  test("whoever comes on top is answered at once", async () => {
    const { server, third } = await full();
    expect(await waits(server, third, "EHLO client.test")).toBe(0);
  });

  test("and who leaves is not waited for: its place and its timer are free", async () => {
    const { server, first, second, third } = await full();
    const timers = server.clock.waiting;
    first.hangUp();
    second.hangUp();
    await new Promise((resolve) => setImmediate(resolve));
    expect(server.clock.waiting).toBeLessThanOrEqual(timers - 4); // theirs, and those of their sessions
    expect(await waits(server, third, "EHLO client.test")).toBe(3000);
  });

  test("nor is anybody when the server closes", async () => {
    const { server } = await full();
    await server.close();
    expect(server.clock.waiting).toBe(0);
  });
});

test("the longest wait is shorter than the tap may take, whatever timeouts.tap says", async () => {
  const server = await serve({ tarpit: { ...tarpit, step: 20_000, most: 20_000 } }, { timeouts: { tap: 1000 } });
  const { speaker } = await call(server);
  await err(speaker, 4);
  expect(await waits(server, speaker, "EHLO client.test")).toBe(20_000);
  expect(speaker.lines.at(-1)).toMatch(/^250 /);
});
