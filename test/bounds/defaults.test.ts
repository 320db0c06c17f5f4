import { connect } from "node:net";
import { definePlugin } from "@mailhost/core";
import { client, sink } from "@mailhost/testkit";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { anyTls, janesPassword, plain, quietLog } from "../support/dialogue.ts";
import { listen } from "../support/socket.ts";
import { Caller } from "./clients.ts";

// What docs/limits.md promises and its own test, test/claims.test.ts, does not try: the limits that need many sockets, or TLS.

afterEach(() => vi.useRealTimers());

test("1,000 connections in all unless told otherwise, 50 from each address", async () => {
  const { port } = await listen({ plugins: [sink()] });
  const callers = Array.from({ length: 1000 }, (_, at) => new Caller(port, `127.0.5.${1 + (at % 20)}`));
  onTestFinished(() => callers.forEach((caller) => caller.leave()));
  await Promise.all(callers.map((caller) => caller.replies(1)));
  expect(new Set(callers.flatMap(({ codes }) => codes))).toEqual(new Set(["220"]));
  const [more, other] = [new Caller(port, "127.0.5.1"), new Caller(port, "127.0.6.1")];
  callers.push(more, other);
  for (const caller of [more, other]) {
    await caller.replies(1);
    expect(caller.codes).toEqual(["421"]);
  }
  callers[0]?.leave();
  for (;;) {
    const again = new Caller(port, "127.0.6.1");
    callers.push(again);
    await again.replies(1);
    if (again.codes[0] === "220") break; // the server has seen that a place is free
  }
});

test.each([
  [10_000, {}],
  [3000, { handshake: 3000 }],
])("a handshake of TLS has %i ms", async (milliseconds, timeouts) => {
  let opened = (): void => {};
  const open = new Promise<void>((resolve) => (opened = resolve));
  const watch = definePlugin({
    name: "watch",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (host) => host.hooks.trace.tap("watch", ({ type }) => type === "open" && opened()),
  });
  const listeners = [{ host: "127.0.0.1", port: 0, tls: "implicit" as const }];
  const { port } = await listen({ plugins: [anyTls(), sink(), watch()], listeners, timeouts });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  const closed = new Promise((resolve) => socket.resume().once("close", resolve));
  await open;
  vi.advanceTimersByTime(milliseconds - 1);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  expect(socket.closed).toBe(false);
  vi.advanceTimersByTime(1);
  await closed;
});

test("wrong passwords may be fewer or more", async () => {
  const speaker = await client({
    plugins: [sink(), janesPassword({ allowInsecure: true })],
    log: quietLog,
    limits: { authFailures: 2 },
  });
  await speaker.reply();
  await speaker.ask("EHLO client.test");
  const guess = `AUTH PLAIN ${plain("", "jane", "wrong")}`;
  expect(await speaker.ask(guess)).toEqual([expect.stringMatching(/^535 5\.7\.8/)]);
  expect(await speaker.ask(guess)).toEqual([expect.stringMatching(/^421 4\.7\.0/)]);
  await speaker.close();
});
