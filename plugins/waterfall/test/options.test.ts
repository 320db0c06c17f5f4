import { type ConfigurationError, type Log, definePlugin, mailhost, reject } from "@mailhost/core";
import { type TestHost, host, sink } from "@mailhost/testkit";
import { trace } from "@opentelemetry/api";
import { describe, expect, test, vi } from "vitest";
import {
  type Only,
  type Row,
  type Waterfall,
  type WaterfallOptions,
  formatWaterfall,
  waterfall,
} from "../src/index.ts";
import { wantedWaterfall } from "../src/wanted.ts";
import { collecting, hello, judge, serve } from "./scene.ts";

const acts = {
  rcpt: ({ address }: { address: { localPart: string } }) => {
    if (address.localPart === "mallory") return reject("Mallory is not welcome");
    if (address.localPart === "trent") throw new Error("trent is broken");
    if (address.localPart === "victor") for (const end = performance.now() + 5; performance.now() < end;);
  },
};

async function mail(server: TestHost, to = "jane@shop.test", client = "192.0.2.1"): Promise<void> {
  const speaker = await hello(server.client({ client }));
  await speaker.deliver({ to });
  await speaker.ask("QUIT");
}

const logged = (server: TestHost) => server.log.filter(({ message }) => message.startsWith("waterfall"));

describe("log", () => {
  test("one line a session, with both ids and every row, ready for NDJSON", async () => {
    const server = await serve({ plugins: [judge(acts), sink(), waterfall({}, { as: "cascade" })] });
    await mail(server);
    const [line, ...more] = logged(server);
    expect(more).toEqual([]);
    expect(line).toMatchObject({
      level: "info",
      message: expect.stringMatching(
        /^waterfall of \w+: 4 taps took \d+\.\d ms, the slowest (rcpt|queue) \w+ \d+\.\d ms$/,
      ),
      fields: { plugin: "cascade", client: "192.0.2.1", transactions: [expect.any(String)], rows: { length: 7 } },
    });
    const fields = line?.fields ?? {};
    expect(line?.message).toContain("session" in fields ? fields.session : "no session");
    expect(JSON.parse(JSON.stringify(fields))).toEqual(fields);
  });

  test.each(["debug", "warn", "error"] satisfies (keyof Log)[])("at the level that is named: %s", async (level) => {
    const server = await serve({ plugins: [sink(), waterfall({ log: level })] });
    await mail(server);
    expect(logged(server)).toMatchObject([{ level }]);
  });
});

test("at no cost when off: without anybody to tell, nothing watches", async () => {
  const options: WaterfallOptions = { log: false, spans: false };
  const server = mailhost({ name: "mx.example.com", plugins: [sink(), waterfall(options)] });
  await server.prepare();
  expect(server.generations.map(({ traced }) => traced)).toEqual([false]);
  await server.close();
});

test("a tracer that throws harms nobody", async () => {
  const { plugin, told } = collecting({ spans: true });
  const spy = vi.spyOn(trace, "getTracer").mockImplementation(() => {
    throw new Error("no such tracer");
  });
  try {
    const server = await serve({ plugins: [sink(), plugin] });
    await mail(server);
    expect(told).toHaveLength(1);
    expect(server.log.map(({ message }) => message)).toContain("a waterfall could not be told: no such tracer");
  } finally {
    spy.mockRestore();
  }
});

test("a connection that nobody judges is not worth a line", async () => {
  const server = await serve({ plugins: [sink(), waterfall()] });
  const speaker = await hello(server.client());
  await speaker.ask("QUIT");
  expect(logged(server)).toEqual([]);
});

test.each([
  [
    "throws",
    () => {
      throw new Error("disk full");
    },
  ],
  ["rejects", () => Promise.reject(new Error("disk full"))],
])("on that %s is logged, and harms nobody", async (_how, on) => {
  const server = await serve({ plugins: [sink(), waterfall({ on })] });
  await mail(server);
  await mail(server);
  await new Promise((resolve) => setImmediate(resolve));
  expect(server.log.filter(({ level }) => level === "error").map(({ message }) => message)).toEqual([
    "a waterfall could not be told: disk full",
    "a waterfall could not be told: disk full",
  ]);
  expect(server.log.filter(({ level }) => level === "info")).toHaveLength(2);
});

describe("only", () => {
  const people = ["jane", "mallory", "trent"];

  test.each<[string, WaterfallOptions["only"], readonly string[]]>([
    ["all", {}, people],
    ["failed", { failed: true }, ["trent"]],
    ["refused", { refused: true }, ["mallory"]],
    ["one of these happened", { refused: true, failed: true }, ["mallory", "trent"]],
    ["false is as if it were not said", { refused: false }, people],
    ["this network", { client: "192.0.2.0/24" }, people],
    ["these networks", { client: ["2001:db8::/32", "198.51.100.0/24"] }, []],
    ["this network, and failed", { client: "192.0.2.0/24", failed: true }, ["trent"]],
    ["another identity", { identity: "jane" }, []],
  ])("%s", async (_what, only, wanted) => {
    const { plugin, told } = collecting({ only });
    const server = await serve({ plugins: [judge(acts), sink(), plugin] });
    for (const name of people) await mail(server, `${name}@shop.test`);
    const rows = told.flatMap((one) => one.rows.slice(0, 1));
    expect(rows).toMatchObject(wanted.map((name) => ({ recipient: `${name}@shop.test` })));
  });
});

test("only: slow taps and slow commits count, slow clients do not; the identity is the last one", () => {
  const record = { identity: "jane", rows: [] } as unknown as Waterfall;
  const tap = { type: "tap", verdict: "silent", milliseconds: 9 } as unknown as Row;
  const rows: Row[] = [
    tap,
    { type: "delivered", transaction: "A", start: 9, milliseconds: 20, reply: ["250 Ok"] },
    { type: "body", transaction: "A", start: 9, milliseconds: 60_000, octets: 9 },
  ];
  const wants = (only: Only, told: Partial<Waterfall>): boolean => wantedWaterfall(only)({ ...record, ...told });
  expect(wants({ slowerThan: 19 }, { rows })).toBe(true);
  expect(wants({ slowerThan: 20 }, { rows })).toBe(false);
  expect(wants({ slowerThan: 8 }, { rows: [tap] })).toBe(true);
  expect(wants({ identity: ["joe", "jane"] }, {})).toBe(true);
  expect(wants({ identity: "joe" }, {})).toBe(false);
  expect(wants({ identity: "jane", slowerThan: 20 }, { rows })).toBe(false);
});

test("the client is the one an intermediary names", async () => {
  const { plugin, told } = collecting({ only: { client: "198.51.100.7" } });
  const proxy = definePlugin({
    name: "proxy",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      const read = (octets: Uint8Array) => ({ used: octets.length, client: { address: "198.51.100.7", port: 1 } });
      host.extend({ preamble: { kind: "read", octets: 64, read } });
    },
  });
  const server = await serve({ plugins: [proxy(), judge({ connect: () => undefined }), sink(), plugin] });
  const speaker = server.client({ early: "PROXY" });
  await hello(speaker);
  await speaker.ask("QUIT");
  expect(told).toMatchObject([{ client: "198.51.100.7", rows: [{ hook: "connect" }] }]);
});

test("a server that closes tells of those it did not wait for", async () => {
  const { plugin, told } = collecting();
  const server = await host({ plugins: [judge({ connect: () => undefined }), sink(), plugin] });
  const speaker = await hello(server.client());
  expect(told).toEqual([]);
  await server.close();
  expect(told).toMatchObject([{ rows: { length: 1 } }]);
  expect(speaker.ended).toBe(false);
});

test("the table for people", async () => {
  const { plugin, told } = collecting();
  const server = await serve({ plugins: [judge({ ...acts, connect: () => undefined }), sink(), plugin] });
  const speaker = await hello(server.client());
  await speaker.deliver({ to: ["jane@shop.test", "mallory@shop.test", "trent@shop.test"] });
  await speaker.ask("QUIT");
  const [record] = told;
  if (record === undefined) throw new Error("nothing was told");
  const id = record.transactions[0];
  const text = formatWaterfall({ ...record, dropped: 2 }).replace(/(?<= )\d+\.\d(?= )/g, "1.0");
  const lines = text.split("\n").map((line) => line.replace(/ +/g, " "));
  expect(lines).toEqual([
    `session ${record.session}, listener 2525, client 192.0.2.1, 1.0 ms, quit`,
    " start ms hook plugin outcome",
    " 1.0 1.0 connect judge 3.1.4 silent",
    `transaction ${id}`,
    " 1.0 1.0 rcpt judge 3.1.4 silent [jane@shop.test]",
    " 1.0 1.0 rcpt sink 1.0.0 permit local, route to sink [jane@shop.test]",
    " 1.0 (route) jane@shop.test -> sink",
    " 1.0 1.0 rcpt judge 3.1.4 refuses: 550 5.7.1 Mallory is not welcome [mallory@shop.test]",
    " 1.0 1.0 rcpt judge 3.1.4 fails: trent is broken [trent@shop.test]",
    " 1.0 1.0 (body) 27 octets",
    " 1.0 1.0 queue sink 1.0.0 staged",
    " 1.0 1.0 queue sink 1.0.0, commit committed",
    ` 1.0 1.0 (answer) 250 2.0.0 Ok: queued as ${id}`,
    " and 2 more",
  ]);
  const columns = formatWaterfall(record)
    .split("\n")
    .filter((line) => line.includes(" judge 3.1.4"));
  expect(new Set(columns.map((line) => line.indexOf("judge"))).size).toBe(1);
  const painted = formatWaterfall(record, (style, line) => `<${style}>${line}`);
  expect(painted.match(/<red>/g)).toHaveLength(2);
  expect(painted).toMatch(/<green>.*sink/);
});

test.each([
  [{ log: "loud" }, "log"],
  [{ spans: "yes" }, "spans"],
  [{ on: "file" }, "on"],
  [{ each: "hour" }, "each"],
  [{ rows: 0 }, "rows"],
  [{ only: { client: "192.0.2.300" } }, "only.client"],
  [{ only: { client: [] } }, "only.client"],
  [{ only: { identity: "" } }, "only.identity"],
  [{ only: { slowerThan: -1 } }, "only.slowerThan"],
  [{ only: { slow: 1 } }, "only.slow"],
  [{ colour: true }, "colour"],
])("a bad option is a start-up error: %j", async (options, where) => {
  const server = mailhost({ name: "mx.example.com", plugins: [sink(), waterfall(options as WaterfallOptions)] });
  const error: ConfigurationError = await server.prepare().then(
    () => expect.unreachable(),
    (reason: ConfigurationError) => reason,
  );
  expect(error.problems).toHaveLength(1);
  expect(error.problems[0]?.where).toContain(`plugins[1].options.${where}`);
});
