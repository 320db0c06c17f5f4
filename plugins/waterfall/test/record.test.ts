import { type Log, reject } from "@mailhost/core";
import { type TranscriptOptions, sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import type { Row, Waterfall } from "../src/index.ts";
import { collecting, hello, judge, startTls, until, serve } from "./scene.ts";

const noMallory = reject("Mallory is not welcome");

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };

const inShort = (row: Row): string => {
  switch (row.type) {
    case "tap":
      return `${row.hook} ${row.plugin} ${row.version} ${row.tap}: ${row.verdict} ${row.words.join(", ")}`.trimEnd();
    case "body":
      return `body ${row.octets}`;
    case "route":
      return `route ${row.recipient} ${row.transport}`;
    case "delivered":
      return `delivered ${row.reply.join()}`.replace(/ as \w+$/, "");
  }
};

test("every hook in order, every tap with plugin, version, verdict and edits", async () => {
  const { plugin, told } = collecting();
  const options = (): TranscriptOptions => {
    told.length = 0;
    const acts = {
      connect: () => undefined,
      rcpt: ({ address }: { address: { localPart: string } }) => {
        if (address.localPart === "mallory") return noMallory;
        if (address.localPart === "trent") throw new Error("trent is \u001b[31mbroken");
      },
      data: async (message: { addField(name: string, value: string): void }) => message.addField("X-Seen", "yes"),
    };
    return { log: quiet, plugins: [judge(acts), sink(), plugin], afterwards: () => check(told) };
  };
  await transcript(
    options,
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: MAIL FROM:<joe@example.com>
    S: 250 *
    C: RCPT TO:<Jane@Shop.Test>
    S: 250 *
    C: RCPT TO:<mallory@shop.test>
    S: 550 *
    C: RCPT TO:<@relay.test:trent@shop.test>
    S: 451 *
    C: DATA
    S: 354 *
    C: Subject: x
    C:
    C: ..dot
    C: .
    S: 250 *
    C: QUIT
    S: 221 *
  `,
  );
});

function check(told: readonly Waterfall[]): void {
  expect(told).toHaveLength(1);
  const [record] = told;
  if (record === undefined) throw new Error("nothing was told");
  expect(record).toMatchObject({ v: 1, part: 1, end: "quit", client: "192.0.2.1", listener: "2525", dropped: 0 });
  expect(record.rows.map(inShort)).toEqual([
    "connect judge 3.1.4 judge: silent",
    "rcpt judge 3.1.4 judge: silent",
    "rcpt sink 1.0.0 sink: silent permit local, route to sink",
    "route Jane@shop.test sink",
    "rcpt judge 3.1.4 judge: refused",
    "rcpt judge 3.1.4 judge: failed",
    `body ${"Subject: x\r\n\r\n..dot\r\n.\r\n".length}`,
    "data judge 3.1.4 stamp: silent add field X-Seen",
    "queue sink 1.0.0 sink: silent staged",
    "queue sink 1.0.0 commit: silent",
    "delivered 250 2.0.0 Ok: queued",
  ]);
  const [, silent, , , refused, failed] = record.rows;
  expect(silent).toMatchObject({ recipient: "Jane@shop.test" });
  expect(refused).toMatchObject({ recipient: "mallory@shop.test", reply: ["550 5.7.1 Mallory is not welcome"] });
  expect(failed).toMatchObject({ recipient: "trent@shop.test", error: "trent is \\x1b[31mbroken" });
  const [id] = record.transactions;
  expect(record.transactions).toHaveLength(1);
  const last = record.rows.at(-1);
  expect(last).toMatchObject({ transaction: id, reply: [expect.stringContaining(`queued as ${id}`)] });
  expect(record.rows.filter(({ transaction }) => transaction === id)).toHaveLength(10);
  for (const { start, milliseconds } of record.rows) {
    expect(start).toBeGreaterThanOrEqual(0);
    expect(start + milliseconds).toBeLessThanOrEqual(record.milliseconds + 0.002);
  }
  expect(JSON.parse(JSON.stringify(record))).toEqual(record);
}

test("edits are data: who touched a field before is seen", async () => {
  const { plugin, told } = collecting();
  const acts = {
    data: async (message: { replaceField(name: string, value: string): void }) => message.replaceField("x-a", "b"),
  };
  const other = {
    data: async (message: { addField(name: string, value: string): void }) => message.addField("X-A", "a"),
  };
  const server = await serve({ plugins: [judge(other), judge(acts, { as: "again" }), sink(), plugin] });
  const speaker = await hello(server.client());
  await speaker.deliver({ to: "jane@shop.test" });
  await speaker.ask("QUIT");
  const edits = told[0]?.rows.flatMap((row) => (row.type === "tap" && row.hook === "data" ? row.edits : []));
  expect(edits).toEqual([
    { kind: "add", field: "X-A", touchedBy: [] },
    { kind: "replace", field: "x-a", touchedBy: ["judge"] },
  ]);
  expect(told[0]?.rows.filter((row) => row.type === "tap" && row.plugin === "again")).toHaveLength(1);
});

describe("a client that hangs up", () => {
  test("in the middle of a body: told at once", async () => {
    const { plugin, told } = collecting();
    const server = await serve({ plugins: [sink(), plugin] });
    const speaker = await hello(server.client());
    for (const line of ["MAIL FROM:<>", "RCPT TO:<jane@shop.test>", "DATA"]) await speaker.ask(line);
    speaker.send("Subject: x\r\n\r\nhalf\r\n..");
    speaker.hangUp();
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ end: "disconnected" });
    expect(told[0]?.rows.at(-1)).toMatchObject({ type: "body", octets: "Subject: x\r\n\r\nhalf\r\n..\r\n".length });
  });

  test("behind the final dot: told when the message is answered, which nobody hears", async () => {
    const { plugin, told } = collecting();
    let letGo: (() => void) | undefined;
    const acts = { data: () => new Promise<void>((resolve) => (letGo = resolve)) };
    const server = await serve({ plugins: [judge(acts), sink(), plugin] });
    const speaker = await hello(server.client());
    for (const line of ["MAIL FROM:<>", "RCPT TO:<jane@shop.test>", "DATA"]) await speaker.ask(line);
    speaker.drip("Subject: x\r\n\r\nwhole\r\n.");
    speaker.hangUp();
    await until(() => letGo !== undefined);
    expect(told).toEqual([]);
    letGo?.();
    await until(() => told.length > 0);
    expect(told[0]).toMatchObject({ end: "disconnected" });
    expect(told[0]?.rows.at(-1)).toMatchObject({ type: "delivered", reply: [expect.stringMatching(/^250 /)] });
  });

  test("while a judge thinks: what it says later is nobody's business", async () => {
    const { plugin, told } = collecting();
    let letGo = (): void => {};
    const acts = { slowly: () => new Promise<void>((resolve) => (letGo = resolve)) };
    const server = await serve({ plugins: [sink(), judge(acts), plugin] });
    const speaker = await hello(server.client());
    await speaker.ask("MAIL FROM:<>");
    speaker.send("RCPT TO:<jane@shop.test>");
    speaker.hangUp();
    expect(told).toHaveLength(1);
    letGo();
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toHaveLength(1);
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  });
});

test("a deadline: failed, and late when it settles all the same", async () => {
  const { plugin, told } = collecting();
  let letGo = (): void => {};
  const acts = { slowly: () => new Promise<void>((resolve) => (letGo = resolve)) };
  const server = await serve({ plugins: [sink(), judge(acts), plugin] });
  const speaker = await hello(server.client());
  await speaker.ask("MAIL FROM:<>");
  speaker.send("RCPT TO:<victor@shop.test>");
  server.clock.advance(5000);
  expect(await speaker.reply()).toEqual([expect.stringMatching(/^451 /)]);
  letGo();
  await new Promise((resolve) => setImmediate(resolve));
  await speaker.ask("QUIT");
  const taps = told[0]?.rows.filter((row) => row.type === "tap" && row.plugin === "judge");
  expect(taps).toMatchObject([{ verdict: "failed", error: "no answer within 5000 ms" }, { verdict: "late" }]);
});

test("a failure that is ignored is told as one", async () => {
  const { plugin, told } = collecting();
  const acts = {
    rcpt: () => {
      throw new Error("no data base");
    },
  };
  const server = await serve({ plugins: [sink(), judge(acts, { onFailure: "ignore" }), plugin] });
  const speaker = await hello(server.client());
  await speaker.deliver({ to: "jane@shop.test" });
  await speaker.ask("QUIT");
  expect(told[0]?.rows).toContainEqual(expect.objectContaining({ verdict: "ignored", error: "no data base" }));
  expect(told[0]?.rows.at(-1)).toMatchObject({ type: "delivered" });
});

test("memory is bounded: the first rows are kept, the others counted", async () => {
  const { plugin, told } = collecting({ rows: 3 });
  const server = await serve({ plugins: [sink(), plugin] });
  const speaker = await hello(server.client());
  await speaker.ask("MAIL FROM:<>");
  for (let count = 0; count < 50; count += 1) await speaker.ask(`RCPT TO:<jane${count}@shop.test>`);
  await speaker.ask("QUIT");
  expect(told[0]?.rows).toHaveLength(3);
  expect(told[0]?.dropped).toBe(97);
});

test("each message by itself, with what came before it", async () => {
  const { plugin, told } = collecting({ each: "message", rows: 7 });
  const server = await serve({ plugins: [judge({ connect: () => undefined }), sink(), plugin] });
  const speaker = await hello(server.client());
  await speaker.deliver({ to: "jane@shop.test" });
  expect(told).toHaveLength(1);
  await speaker.deliver({ to: "joe@shop.test" });
  await speaker.ask("QUIT");
  expect(told).toMatchObject([
    { part: 1, dropped: 0 },
    { part: 2, dropped: 0 },
  ]);
  expect(new Set(told.map(({ session }) => session)).size).toBe(1);
  expect(told.flatMap(({ transactions }) => transactions)).toHaveLength(2);
  expect(told[0]?.rows.map(({ type }) => type)).toEqual(["tap", "tap", "route", "body", "tap", "tap", "delivered"]);
});

test("no secret is ever part of it", async () => {
  const { plugin, told } = collecting();
  const server = await serve({ plugins: [judge({ connect: () => undefined }), sink(), plugin] });
  const speaker = await hello(server.client());
  for (const line of ["AUTH PLAIN AGphbmUAdHIwdWI0ZG9y", "tr0ub4dor", "PASS tr0ub4dor"]) await speaker.ask(line);
  await speaker.deliver({ to: "jane@shop.test", text: "Subject: tr0ub4dor\r\n\r\ntr0ub4dor\r\n" });
  await speaker.ask("QUIT");
  const text = JSON.stringify(told);
  expect(text).not.toContain("tr0ub4dor");
  expect(text).not.toContain("AGphbmUA");
});

test("listeners have their own, the same plugin may stand twice, and sessions finish on the generation they began with", async () => {
  const first = collecting();
  const second = collecting({}, { as: "second" });
  const listeners = [
    { name: "watched", port: 0, plugins: [first.plugin, second.plugin] },
    { name: "other", port: 0 },
  ];
  const server = await serve({ plugins: [sink()], listeners });
  for (const listener of ["watched", "other"]) {
    const speaker = await hello(server.client({ listener }));
    await speaker.deliver({ to: "jane@shop.test" });
    await speaker.ask("QUIT");
  }
  expect(first.told).toMatchObject([{ listener: "watched" }]);
  expect(second.told.map(({ session, rows }) => [session, rows.map(inShort)])).toEqual(
    first.told.map(({ session, rows }) => [session, rows.map(inShort)]),
  );

  const old = await hello(server.client({ listener: "watched" }));
  const third = collecting();
  await server.reload({ listeners: [{ name: "watched", port: 0, plugins: [third.plugin] }] });
  await old.deliver({ to: "jane@shop.test" });
  await old.ask("QUIT");
  const fresh = await hello(server.client({ listener: "watched" }));
  await fresh.deliver({ to: "jane@shop.test" });
  await fresh.ask("QUIT");
  expect([first.told.length, third.told.length]).toEqual([2, 1]);
});

test("TLS makes a new session; the waterfall goes on", async () => {
  const { plugin, told } = collecting();
  const server = await serve({
    plugins: [judge({ connect: () => undefined, rcpt: () => undefined }), startTls(), sink(), plugin],
  });
  const speaker = await hello(server.client());
  await speaker.ask("STARTTLS");
  await speaker.ask("EHLO client.test");
  await speaker.deliver({ to: "jane@shop.test" });
  await speaker.ask("QUIT");
  expect(told).toHaveLength(1);
  expect(told[0]?.rows.map(inShort)[0]).toBe("connect judge 3.1.4 judge: silent");
  expect(told[0]?.rows.at(-1)?.type).toBe("delivered");
});
