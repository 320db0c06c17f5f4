import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, TestClock, client } from "@mailhost/testkit";
import { expect, onTestFinished, test } from "vitest";
import { type Answer, Endpoint, hand, mail, memoryLog, options, partsOf, replyTo, status, until } from "./kit.ts";

/** A dialogue with time that stands still, and the moment a timer more waits than before. */
async function speaker(
  ...[webhookOptions, more]: Parameters<typeof options>
): Promise<{ clock: TestClock; speaker: Client }> {
  const clock = new TestClock();
  const one = await client({ ...options(webhookOptions, more), clock });
  onTestFinished(() => one.close());
  return { clock, speaker: one };
}

const silent: Answer = () => {};

test("a failure and a success are one message, under one key", async () => {
  const endpoint = await Endpoint.open(status(503, 500, 201));
  expect(await replyTo({ url: endpoint.url }, endpoint)).toMatch(/^250 2.0.0/);
  expect(endpoint.got).toHaveLength(3);
  const parts = await Promise.all(endpoint.got.map(partsOf));
  expect(new Set(endpoint.got.map(({ headers }) => headers["idempotency-key"])).size).toBe(1);
  expect(new Set(parts.map(({ envelope, message }) => JSON.stringify(envelope) + message.toString())).size).toBe(1);
});

test("a try that takes too long is given up, and the next may succeed", async () => {
  const endpoint = await Endpoint.open((response, number) => void (number > 0 && response.end()));
  const { clock, speaker: one } = await speaker({ url: endpoint.url, timeout: 7000 });
  await hand(one);
  await endpoint.seen(1);
  clock.advance(6999);
  expect(endpoint.busy).toBe(1);
  clock.advance(1);
  await until(() => endpoint.busy === 0);
  const reply = one.reply();
  await until(() => {
    clock.advance(100);
    return endpoint.got.length === 2;
  });
  expect((await reply)[0]).toMatch(/^250/);
});

test("retries: 0 tries once", async () => {
  const endpoint = await Endpoint.open(status(503));
  expect(await replyTo({ url: endpoint.url, retries: 0 }, endpoint)).toMatch(/^451 4.3.0/);
  expect(endpoint.got).toHaveLength(1);
});

test("pauses grow", async () => {
  const times: number[] = [];
  const clock = new TestClock();
  const endpoint = await Endpoint.open((response) => {
    times.push(clock.now());
    response.writeHead(500).end();
  });
  const one = await client({ ...options({ url: endpoint.url, retries: 4 }), clock, patience: 20_000 });
  onTestFinished(() => one.close());
  await hand(one);
  const reply = one.reply();
  for (const tries of [2, 3, 4, 5])
    await until(() => {
      if (endpoint.busy === 0) clock.advance(100);
      return endpoint.got.length === tries;
    });
  expect((await reply)[0]).toMatch(/^451 4.3.0/);
  const pauses = times.slice(1).map((time, at) => time - (times[at] ?? 0));
  // 1, 2, 4 and 8 seconds, a quarter more or less, and what passes meanwhile
  for (const [at, pause] of pauses.entries()) expect(pause).toBeGreaterThanOrEqual(750 * 2 ** at);
});

test("Retry-After is waited for within patience, and beyond it the client is told at once", async () => {
  const times: number[] = [];
  const clock = new TestClock();
  const asks = (seconds: number) =>
    Endpoint.open((response, number) => {
      times.push(clock.now());
      response.writeHead(number === 0 ? 429 : 200, { "retry-after": String(seconds) }).end();
    });
  const endpoint = await asks(30);
  const one = await client({ ...options({ url: endpoint.url }), clock });
  onTestFinished(() => one.close());
  await hand(one);
  await endpoint.seen(1);
  await until(() => {
    if (endpoint.busy === 0) clock.advance(100);
    return endpoint.got.length === 2;
  });
  expect((await one.reply())[0]).toMatch(/^250/);
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(30_000);

  const impatient = await asks(3600);
  const other = await client({ ...options({ url: impatient.url }), clock: new TestClock() });
  onTestFinished(() => other.close());
  await hand(other);
  expect((await other.reply())[0]).toMatch(/^451 4.3.0/);
  expect(impatient.got).toHaveLength(1);
});

test("patience ends a try, however much time it has", async () => {
  const endpoint = await Endpoint.open(silent);
  const { clock, speaker: one } = await speaker({ url: endpoint.url, timeout: 50_000, patience: 9000 });
  await hand(one);
  await endpoint.seen(1);
  clock.advance(8999);
  expect(endpoint.busy).toBe(1);
  clock.advance(1);
  expect((await one.reply())[0]).toBe("451 4.4.1 The message could not be handed on");
  expect(endpoint.got).toHaveLength(1);
});

test("so many at a time; who waits too long for a turn is told so", async () => {
  let release = (): void => {};
  const endpoint = await Endpoint.open((response, number) => {
    if (number === 0) release = () => void response.end();
    else if (number > 1) response.end();
  });
  const { clock, speaker: one } = await speaker({ url: endpoint.url, concurrency: 2, patience: 9000 });
  const { server } = one;
  const [two, three, four] = await Promise.all(
    [1, 2, 3].map(async () => {
      const another = new Client(server);
      onTestFinished(() => another.hangUp());
      return another;
    }),
  );
  if (two === undefined || three === undefined || four === undefined) throw new Error("nobody is there");
  await hand(one);
  await endpoint.seen(1);
  await hand(two, { to: ["two@example.com"] });
  await endpoint.seen(2);
  const before = clock.waiting;
  await hand(three, { to: ["three@example.com"] });
  await hand(four, { to: ["four@example.com"] });
  await until(() => clock.waiting >= before + 2);
  expect(endpoint.got).toHaveLength(2);
  release();
  expect((await one.reply())[0]).toMatch(/^250/);
  // The two that waited go one after the other
  expect((await three.reply())[0]).toMatch(/^250/);
  expect((await four.reply())[0]).toMatch(/^250/);
  expect(endpoint.got).toHaveLength(4);
  // The place of the one that hangs is taken; the other too
  await hand(one);
  await hand(three);
  expect((await one.reply())[0]).toMatch(/^250/);
  expect((await three.reply())[0]).toMatch(/^250/);
  clock.advance(9000);
  expect((await two.reply())[0]).toMatch(/^451 4.4.1/);
});

test("no turn in time is 451", async () => {
  const endpoint = await Endpoint.open(silent);
  const { clock, speaker: one } = await speaker({ url: endpoint.url, concurrency: 1, patience: 9000 });
  const two = new Client(one.server);
  onTestFinished(() => two.hangUp());
  await hand(one);
  await endpoint.seen(1);
  clock.advance(1000);
  const before = clock.waiting;
  await hand(two);
  await until(() => clock.waiting > before);
  clock.advance(7999);
  expect(endpoint.busy).toBe(1);
  clock.advance(1);
  expect((await one.reply())[0]).toMatch(/^451 4.4.1/);
  // It gets the turn, with a second left
  await endpoint.seen(2);
  clock.advance(1000);
  expect((await two.reply())[0]).toMatch(/^451 4.4.1/);
});

test("connections are kept", async () => {
  const endpoint = await Endpoint.open();
  const { speaker: one } = await speaker({ url: endpoint.url, retries: 0 });
  for (let number = 0; number < 10; number += 1) {
    await hand(one, { to: [`n${number}@example.com`] });
    expect((await one.reply())[0]).toMatch(/^250/);
  }
  // The next message may come before the last connection is free again
  expect(endpoint.connections).toBeLessThan(5);
  // The endpoint has no use for them any more
  endpoint.cut();
  await hand(one);
  expect((await one.reply())[0]).toMatch(/^250/);
});

test("a kept connection that the endpoint closes just when it is used costs no try", async () => {
  let requests = 0;
  const server = createServer((socket) => {
    let here = 0;
    socket
      .on("error", () => {})
      .on("data", (octets: Buffer) => {
        if (here > 0) return void socket.resetAndDestroy();
        if (!octets.toString("latin1").endsWith("--\r\n")) return;
        [here, requests] = [here + 1, requests + 1];
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const { speaker: one } = await speaker({ url: `http://127.0.0.1:${port}/`, retries: 0 });
  for (let number = 0; number < 5; number += 1) {
    await hand(one, { to: [`n${number}@example.com`] });
    expect((await one.reply())[0]).toMatch(/^250/);
    await sleep(5); // so that the connection is free, and is used again
  }
  expect(requests).toBe(5);
});

test("closing the server ends what is under way, and leaves no connection", async () => {
  const endpoint = await Endpoint.open(silent);
  const { log } = memoryLog();
  const one = await client({ ...options({ url: endpoint.url }), log, timeouts: { drain: 10 } });
  await hand(one);
  await endpoint.seen(1);
  one.hangUp();
  await one.server.close();
  await until(() => endpoint.busy === 0);
});

test("a client that hangs up after the dot cancels nothing", async () => {
  let answer = (): void => {};
  const endpoint = await Endpoint.open((response) => (answer = () => void response.end()));
  const { speaker: one } = await speaker({ url: endpoint.url });
  await hand(one, { lines: mail });
  await endpoint.seen(1);
  one.hangUp();
  answer();
  await until(() => endpoint.busy === 0);
  expect(endpoint.got).toHaveLength(1);
});
