import { mailhost } from "@mailhost/core";
import { TestClock, sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { hold, plugin, recorder } from "../support/dialogue.ts";

const minute = 60_000;

/** A server whose judge fails when told to, and which is asked once per call. */
async function server(onFailure: "defer" | "ignore" = "defer") {
  const clock = new TestClock();
  const log = recorder();
  let fails = true;
  const judge = plugin(
    "judge",
    ({ hooks }) => {
      hooks.rcpt.tap("judge", () => {
        if (fails) throw new Error("the table is gone");
      });
    },
    { onFailure },
  );
  const host = mailhost({ name: "mx.example.com", plugins: [sink(), judge], clock, log, limits: { errors: Infinity } });
  await host.prepare();
  const ask = async (times: number, failing: boolean): Promise<void> => {
    fails = failing;
    const { say, hear, engine } = hold(host);
    say("EHLO client.test", "MAIL FROM:<jane@example.com>");
    for (let count = 0; count < times; count += 1) say("RCPT TO:<joe@example.com>");
    await hear(8 + times);
    engine.gone("end");
  };
  const told = (): string[] => log.lines.filter((line) => /is failing|works again/.test(line));
  return { host, clock, log, ask, told };
}

test("few failures are told one by one", async () => {
  const { host, log, ask, told } = await server();
  await ask(4, true);
  expect(log.lines).toEqual(Array.from({ length: 4 }, () => "error: plugin judge failed in rcpt: the table is gone"));
  expect(told()).toEqual([]);
  expect(host.failing).toEqual([]);
});

test("a plugin that keeps failing is reported with its rate, once a minute", async () => {
  const { host, clock, ask, told } = await server();
  const since = clock.now();
  await ask(1, true);
  clock.advance(10_000);
  await ask(5, false);
  await ask(20, true);
  expect(told()).toEqual([
    "error: plugin judge is failing: 5 of 10 calls failed in 10 s (50 %), the last with: the table is gone",
  ]);
  const facts = { listener: "2525", plugin: "judge", calls: 26, failures: 21, since };
  expect(host.failing).toEqual([{ ...facts, error: "the table is gone" }]);
  clock.advance(minute / 2);
  await ask(1, true);
  clock.advance(minute / 2);
  await ask(1, true);
  expect(told()[1]).toMatch(/judge is failing: 23 of 28 calls failed in 70 s \(82 %\)/);
  expect(told()).toHaveLength(2);
});

test("failures that are ignored are counted too", async () => {
  const { told, ask } = await server("ignore");
  await ask(5, true);
  expect(told()).toHaveLength(1);
});

test("it works again after a minute without a failure", async () => {
  const { host, clock, ask, told } = await server();
  await ask(6, true);
  clock.advance(minute - 1);
  await ask(1, false);
  expect(told()).toHaveLength(1);
  clock.advance(1);
  await ask(1, false);
  expect(told()[1]).toBe("info: plugin judge works again: no failure for 60 s");
  expect(host.failing).toEqual([]);
  // And what fails then begins anew
  await ask(4, true);
  expect(told()).toHaveLength(2);
  await ask(1, true);
  expect(told()[2]).toMatch(/5 of 5 calls failed in 0 s \(100 %\)/);
});

test("nobody has to call it for it to be over", async () => {
  const { host, clock, ask } = await server();
  await ask(6, true);
  expect(host.failing).toHaveLength(1);
  clock.advance(minute);
  expect(host.failing).toEqual([]);
});

test("a few failures in a flood of calls are no failing plugin", async () => {
  const { host, ask, told } = await server();
  await ask(1, true);
  await ask(999, false);
  await ask(8, true);
  expect(told()).toEqual([]);
  await ask(2, true);
  expect(told()).toEqual([expect.stringMatching(/failing: 11 of 1010 calls failed in 0 s \(1 %\)/)]);
  expect(host.failing).toHaveLength(1);
});

test("failures far apart are no failing plugin", async () => {
  const { host, clock, ask, told } = await server();
  for (let hour = 0; hour < 10; hour += 1) {
    await ask(1, true);
    clock.advance(60 * minute);
  }
  expect(told()).toEqual([]);
  expect(host.failing).toEqual([]);
});

test("a commit that fails counts against its transport's plugin", async () => {
  const log = recorder();
  const carrier = plugin("carrier", (host) => {
    host.extend({ transports: [{ kind: "local", phases: "two" }] });
    host.hooks.rcpt.tap("carrier", (recipient) => {
      recipient.permit("local");
      recipient.routeTo({ transport: "carrier" });
    });
    host.hooks.queue.for("carrier").tap("carrier", (delivery) => {
      delivery.stage({ commit: () => Promise.reject(new Error("disk")), abort: () => {} });
    });
  });
  const host = mailhost({ name: "mx.example.com", plugins: [carrier], log });
  await host.prepare();
  const { say, hear, engine } = hold(host);
  say("HELO client.test");
  await hear(2);
  for (let count = 0; count < 5; count += 1) {
    say("MAIL FROM:<jane@example.com>", "RCPT TO:<joe@example.com>", "DATA");
    await hear(3);
    say("text", ".");
    expect((await hear(1))[0]).toMatch(/^451 /);
  }
  expect(log.lines[0]).toBe("error: plugin carrier failed in commit: disk");
  expect(log.lines.at(-1)).toMatch(/plugin carrier is failing: 5 of \d+ calls failed/);
  engine.gone("end");
  await host.close();
});
