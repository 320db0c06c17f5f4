import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { RawClient } from "../kill/client.ts";
import { storedBelow } from "../../cli/test/load.ts";
import { type House, amidData, attempt, caller, configuration, hearing, open, refusal, start } from "./house.ts";

// SIGTERM to the real command, whatever is under way. `npm run drain` tells the figures; no test asserts that a machine
// that does other things is fast: what is asserted is that nothing waits for the grace time that need not.

const timeout = 60_000;
const shuttingDown = "421 4.3.2 Service shutting down, try again later";
const told = (what: string, milliseconds: number): void => console.info(`${what}: ${milliseconds.toFixed(1)} ms`);

/** Delivers without a pause until the server ends it. Gives the ids of what was acknowledged. */
async function busy(port: number, name: string): Promise<string[]> {
  const taken: string[] = [];
  const client = await caller(port);
  for (let count = 0; ; count += 1) {
    const id = `${name}-${count}@client.test`;
    const done = await client
      .deliver(["jane@example.com"], `Message-ID: <${id}>\r\n\r\nhello\r\n`, { pipelined: count % 2 === 0 })
      .catch((error: unknown) => {
        expect(String(error)).toContain(shuttingDown);
        return false;
      });
    if (!done) return taken;
    taken.push(id);
  }
}

/** Sends a line of its message from time to time, and its end behind so many milliseconds. */
async function slow(client: RawClient, id: string, milliseconds: number): Promise<string> {
  client.say(`Message-ID: <${id}>\r\n`);
  const until = performance.now() + milliseconds;
  while (performance.now() < until) {
    client.say("a line that was on its way");
    await sleep(20);
  }
  client.say(".");
  return (await client.reply()).trim();
}

for (const workers of [undefined, 2])
  test(`under load${workers === undefined ? "" : `, with ${workers} workers`}`, { timeout }, async () => {
    const drain = 20_000;
    const { folder, command, port } = await open({ drain, ...(workers === undefined ? {} : { workers }) });
    const idle: RawClient[] = [];
    for (let count = 0; count < 20; count += 1) {
      const client = await caller(port);
      if (count % 4 === 1) await client.ask("MAIL FROM:<joe@client.test>", "250");
      if (count % 4 === 2) await client.secure({ rejectUnauthorized: false });
      if (count % 4 === 3) client.socket.write("MAIL FR"); // half a command is none
      idle.push(client);
    }
    const writers = await Promise.all(Array.from({ length: 5 }, () => amidData(port, "jane")));
    const written = writers.map((client, at) => slow(client, `slow-${at}@client.test`, 1500));
    const works = Array.from({ length: 10 }, (_, at) => busy(port, `busy-${at}`));
    await sleep(500);

    const from = performance.now();
    command.kill("SIGTERM");
    const [refusedAt, ...heard] = await Promise.all([
      refusal(port, from),
      ...idle.map((client) => hearing(client, from)),
    ]);
    const latest = Math.max(...heard.map(({ at }) => at));
    const where = workers === undefined ? "" : `, ${workers} workers`;
    told(`connections refused after SIGTERM${where}`, refusedAt);
    told(`the last of ${idle.length} idle sessions heard 421${where}`, latest);
    expect(new Set(heard.map(({ reply }) => reply))).toEqual(new Set([shuttingDown]));
    expect(refusedAt).toBeLessThan(drain / 4);
    expect(latest).toBeLessThan(drain / 4);
    // They go on meanwhile, and are heard to their end
    expect(new Set((await Promise.all(written)).map((reply) => reply.slice(0, 9)))).toEqual(new Set(["250 2.0.0"]));
    expect(await Promise.all(writers.map((client) => client.reply()))).toEqual(
      writers.map(() => `${shuttingDown}\r\n`),
    );
    const acknowledged = (await Promise.all(works)).flat();
    expect(await command.ended).toEqual({ code: 0, signal: null });
    told(`all is over${where}, bodies of 1000 ms behind SIGTERM among it`, performance.now() - from);
    expect(performance.now() - from).toBeLessThan(drain);
    expect(await attempt(port)).toBe("ECONNREFUSED");
    const stored = storedBelow(join(folder, "mail"));
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(
      [...acknowledged, ...writers.map((_, at) => `slow-${at}@client.test`)].filter((id) => !stored.has(id)),
    ).toEqual([]);
    expect(command.complaints.filter((line) => !line.includes("self-signed certificate"))).toEqual([]);
  });

/** A session that waits for a plugin which never answers, at each place where one can. */
async function waiting({ port }: House, where: string): Promise<RawClient> {
  if (where !== "rcpt") {
    const client = await amidData(port, where);
    client.say("hello\r\n.");
    return client;
  }
  const client = await caller(port);
  await client.ask("MAIL FROM:<joe@client.test>", "250");
  client.say("RCPT TO:<rcpt@example.com>");
  return client;
}

for (const workers of [undefined, 2])
  test(
    `plugins that never answer hold it no longer than the grace time${workers === undefined ? "" : ", with workers"}`,
    { timeout },
    async () => {
      const drain = 1000;
      const house = await open({ drain, ...(workers === undefined ? {} : { workers }) });
      const clients: RawClient[] = [];
      for (const where of ["rcpt", "data", "queue", "commit"]) clients.push(await waiting(house, where));
      await sleep(100);
      const from = performance.now();
      house.command.kill("SIGTERM");
      const replies = await Promise.all(clients.map((client) => client.reply()));
      expect(replies.slice(0, 3)).toEqual(Array.from({ length: 3 }, () => `${shuttingDown}\r\n`));
      expect(replies[3]).toMatch(/^(?:421 4\.3\.2 .*\r\n)?$/); // nobody knows whether it is delivered
      expect(await house.command.ended).toEqual({ code: 0, signal: null });
      const took = performance.now() - from;
      told(
        `ended behind a grace time of ${drain} ms, four sessions stuck${workers === undefined ? "" : ", workers"}`,
        took - drain,
      );
      expect(took).toBeGreaterThanOrEqual(drain);
      expect(took).toBeLessThan(drain + 8000);
    },
  );

test("what plugins never close ends ten seconds behind the grace time at the latest", { timeout }, async () => {
  const { command } = await open({ drain: 500, stuck: { close: true } });
  const from = performance.now();
  command.kill("SIGTERM");
  expect((await command.ended).signal).toBe(null);
  expect(performance.now() - from).toBeLessThan(20_000);
});

for (const workers of [undefined, 2])
  test(
    `a second SIGTERM ends it at once with 1${workers === undefined ? "" : ", and its workers"}`,
    { timeout },
    async () => {
      const { command, port } = await open({ drain: 50_000, ...(workers === undefined ? {} : { workers }) });
      const clients = [await amidData(port, "jane"), await amidData(port, "jane")];
      command.kill("SIGTERM");
      await command.next(({ msg }) => msg.includes("draining"));
      await sleep(600); // what comes within half a second is the same one, which npm passed on
      const from = performance.now();
      command.kill("SIGTERM");
      expect(await command.ended).toEqual({ code: 1, signal: null });
      told(`ended after the second SIGTERM${workers === undefined ? "" : ", workers"}`, performance.now() - from);
      // Workers too: whose they were is over
      for (const client of clients) expect(await client.reply()).toBe("");
      expect(performance.now() - from).toBeLessThan(20_000);
    },
  );

test("while it starts it ends at once, and listens no more", { timeout }, async () => {
  for (const workers of [undefined, 2])
    for (const milliseconds of [0, 150, 300, 450, 600, 900, 1200]) {
      const { command } = start({ drain: 20_000, ...(workers === undefined ? {} : { workers }) });
      await sleep(milliseconds);
      command.kill("SIGTERM");
      const { code, signal } = await command.ended;
      expect(signal ?? code, `${milliseconds} ms`).toSatisfy((how) => how === "SIGTERM" || how === 0);
      for (const port of command.ports) expect(await attempt(port)).toBe("ECONNREFUSED");
    }
});

test(
  "amid TLS handshakes: who ends them is told 421, who does not is closed with the grace time",
  { timeout },
  async () => {
    const { command, port, securePort } = await open({ drain: 6000 });
    const silent = new RawClient(securePort); // a connection, and not one octet
    const halfway = await caller(port);
    await halfway.ask("STARTTLS", "220");
    halfway.socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3])); // the head of a ClientHello
    const late = await caller(port);
    await late.ask("STARTTLS", "220");
    const from = performance.now();
    command.kill("SIGTERM");
    await refusal(port, from);
    const tls = connectTls({ socket: late.socket.removeAllListeners(), rejectUnauthorized: false });
    onTestFinished(() => void tls.destroy());
    const said = await new Promise<string>((resolve) => tls.once("data", (octets) => resolve(octets.toString())));
    expect(said).toBe(`${shuttingDown}\r\n`);
    tls.destroy();
    for (const client of [silent, halfway]) expect(await client.reply()).toBe("");
    expect(await command.ended).toEqual({ code: 0, signal: null });
    expect(performance.now() - from).toBeLessThan(6000 + 8000);
  },
);

test("a client that never reads does not hold it", { timeout }, async () => {
  const { command, port } = await open({ drain: 1000 });
  const deaf = await caller(port);
  deaf.socket.pause();
  for (let count = 0; count < 9000; count += 1) deaf.say(`HELP ${"x".repeat(400)}`);
  await sleep(300);
  const from = performance.now();
  command.kill("SIGTERM");
  expect(await command.ended).toEqual({ code: 0, signal: null });
  expect(performance.now() - from).toBeLessThan(1000 + 8000);
});

test("while a reload hangs, listeners close and sessions are told all the same", { timeout }, async () => {
  const { folder, command, port } = await open({ drain: 2000 });
  const client = await caller(port);
  writeFileSync(join(folder, "mailhost.config.json"), configuration({ drain: 2000, stuck: { apply: true } }));
  expect(readFileSync(join(folder, "mailhost.config.json"), "utf8")).toContain('"apply":true');
  command.kill("SIGHUP");
  await sleep(500);
  const from = performance.now();
  command.kill("SIGTERM");
  const [refusedAt, { reply, at }] = await Promise.all([refusal(port, from), hearing(client, from)]);
  expect(reply).toBe(shuttingDown);
  told("connections refused while a reload hangs", refusedAt);
  told("421 to an idle session while a reload hangs", at);
  expect((await command.ended).signal).toBe(null);
  expect(performance.now() - from).toBeLessThan(2000 + 8000);
});
