import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type TapCallback, mailhost } from "@mailhost/core";
import { TestClock, sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { hold, plugin, turn } from "../support/dialogue.ts";

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

/** Octets of the heap and of buffers that somebody still holds. What is let go of by finalizers takes more than one look. */
async function held(): Promise<number> {
  for (let look = 0; look < 4; look += 1) {
    if (typeof collect === "function") collect();
    await turn();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Goes wrong in turn: throws, rejects, never settles, calls back too late or twice, keeps what it was lent. */
const wayward = () => {
  let turns = 0;
  let messages = 0;
  let kept: { recipient: unknown; done: TapCallback } | undefined;
  return plugin("wayward", ({ hooks }) => {
    hooks.rcpt.tapAsync({ name: "wayward", deadline: 1000 }, (recipient, _transaction, _session, _signal, done) => {
      kept?.done(new Error("long gone"));
      kept = undefined;
      turns += 1;
      if (turns % 4 === 0) throw new Error("oops");
      if (turns % 4 === 1) kept = { recipient, done };
      if (turns % 4 === 2) setImmediate(() => done(new Error("later")));
      if (turns % 4 === 3) done();
    });
    hooks.data.tapPromise({ name: "wayward", deadline: 1000 }, async (message) => {
      message.addField("X-Big", "x".repeat(900));
      messages += 1;
      if (messages % 2 === 0) await message.rewriteBody(() => [new Uint8Array(1000).fill(0x41)]);
      if (messages % 3 === 0) await new Promise(() => {});
      if (messages % 3 === 1) throw new Error("oops");
    });
  });
};

test("ten thousand sessions with failing plugins leave nothing behind", { timeout: 120_000 }, async () => {
  const clock = new TestClock();
  const box = sink();
  const server = mailhost({ name: "mx.example.com", plugins: [wayward(), box], log: quiet, clock });
  await server.prepare();
  const session = async (number: number): Promise<void> => {
    const { say, wire, engine } = hold(server);
    say("EHLO client.test", "MAIL FROM:<jane@example.com>", "RCPT TO:<joe@example.com>", "RCPT TO:<jim@example.com>");
    await turn();
    clock.advance(1000);
    await turn();
    if (wire.lines.some((line) => line.startsWith("250 2.1.5"))) {
      say("DATA");
      say("Subject: x", "", "text", ".");
      await turn();
      await turn();
      clock.advance(1000);
      await turn();
    }
    if (number % 2 === 0) say("QUIT");
    engine.gone("disconnected");
    box.messages.splice(1);
  };
  const many = async (count: number): Promise<number> => {
    for (let number = 0; number < count; number += 1) await session(number);
    await turn();
    return held();
  };
  await many(1000); // what is compiled and cached is there after these
  const growth: number[] = [];
  for (let batch = 0; batch < 5; batch += 1) {
    const before = await held();
    growth.push(((await many(2000)) - before) / 2000);
  }
  expect(clock.waiting).toBe(0);
  expect(server.generations[0]?.sessions).toBe(0);
  expect(box.messages.length).toBeGreaterThan(0);
  // Octets each. What sessions leave behind is there in every batch; what the runtime lays by is not
  expect(Math.min(...growth)).toBeLessThan(1024);
  await server.close();
});
