import { ROOT_CONTEXT, SpanKind, SpanStatusCode, context, trace } from "@opentelemetry/api";
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { type ConfigurationError, mailhost, reject } from "@mailhost/core";
import { TestClock, sink } from "@mailhost/testkit";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type WaterfallOptions, waterfall } from "../src/index.ts";
import { hello, judge, startTls, serve } from "./scene.ts";

const exporter = new InMemorySpanExporter();
const register = (sampler?: AlwaysOffSampler): void => {
  const spanProcessors = [new SimpleSpanProcessor(exporter)];
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors, ...(sampler === undefined ? {} : { sampler }) }),
  );
};

beforeEach(() => exporter.reset());
afterEach(() => trace.disable());

const acts = {
  connect: () => undefined,
  rcpt: ({ address }: { address: { localPart: string } }) => {
    if (address.localPart === "mallory") return reject("Mallory is not welcome");
    if (address.localPart === "trent") throw new Error("trent is broken");
  },
  data: async (message: { addField(name: string, value: string): void }) => message.addField("X-Seen", "yes"),
};

async function spansOf(recipients: readonly string[], options: WaterfallOptions = {}): Promise<ReadableSpan[]> {
  const clock = new TestClock(Date.UTC(2001, 1, 3)); // long before this machine was started
  const plugins = [judge(acts), startTls(), sink(), waterfall({ log: false, ...options })];
  const server = await serve({ plugins, clock });
  const speaker = await hello(server.client());
  await speaker.ask("STARTTLS");
  await speaker.ask("EHLO client.test");
  await speaker.deliver({ to: recipients });
  await speaker.ask("QUIT");
  return exporter.getFinishedSpans();
}

const nanoseconds = ([seconds, rest]: ReadableSpan["startTime"]): bigint =>
  BigInt(seconds) * 1_000_000_000n + BigInt(rest);

describe("spans", () => {
  test("one for the session, one for each transaction, one for each tap, body and commit", async () => {
    register();
    const spans = await spansOf(["jane@shop.test"]);
    const session = spans.find(({ name }) => name === "smtp session");
    const transaction = spans.find(({ name }) => name === "smtp transaction");
    const below = (parent: ReadableSpan | undefined): string[] =>
      spans.filter((one) => one.parentSpanContext?.spanId === parent?.spanContext().spanId).map(({ name }) => name);
    expect(session?.parentSpanContext).toBeUndefined();
    expect(below(session).toSorted()).toEqual(["connect judge", "smtp transaction"]);
    expect(below(transaction)).toEqual(["rcpt judge", "rcpt sink", "body", "data judge", "queue sink", "commit sink"]);
    expect(new Set(spans.map((one) => one.spanContext().traceId)).size).toBe(1);
    expect(session?.kind).toBe(SpanKind.SERVER);
    expect(session?.instrumentationScope).toMatchObject({ name: "@mailhost/plugin-waterfall", version: "1.0.0" });
    for (const one of spans) {
      expect(one.status.code).toBe(SpanStatusCode.UNSET);
      expect(nanoseconds(one.startTime)).toBeGreaterThanOrEqual(BigInt(Date.UTC(2001, 1, 3)) * 1_000_000n);
      expect(nanoseconds(one.endTime)).toBeGreaterThanOrEqual(nanoseconds(one.startTime));
      const parent = spans.find((other) => other.spanContext().spanId === one.parentSpanContext?.spanId);
      if (parent === undefined) continue;
      expect(nanoseconds(one.startTime)).toBeGreaterThanOrEqual(nanoseconds(parent.startTime));
      // Three decimals of a millisecond are kept
      expect(nanoseconds(one.endTime)).toBeLessThanOrEqual(nanoseconds(parent.endTime) + 1000n);
    }
  });

  test("say who, where, what and by which id", async () => {
    register();
    const spans = await spansOf(["jane@shop.test", "mallory@shop.test"]);
    const named = (name: string) => spans.filter((one) => one.name === name).map(({ attributes }) => attributes);
    const [transaction] = named("smtp transaction");
    expect(named("smtp session")).toEqual([
      {
        "client.address": "192.0.2.1",
        "client.port": 40000,
        "server.address": "mx.example.com",
        "server.port": 25,
        "network.local.address": "192.0.2.25",
        "network.local.port": 25,
        "network.transport": "tcp",
        "network.protocol.name": "smtp",
        "tls.protocol.name": "tls",
        "tls.protocol.version": "1.3",
        "tls.cipher": "TLS_AES_256_GCM_SHA384",
        "mailhost.session.id": expect.stringMatching(/^\w{16}$/),
        "mailhost.session.end": "quit",
        "mailhost.listener.name": "2525",
        "mailhost.listener.mode": "transfer",
      },
    ]);
    expect(transaction).toMatchObject({
      "mailhost.transaction.routes": ["jane@shop.test -> sink"],
      "mailhost.reply.code": 250,
      "mailhost.reply.text": `250 2.0.0 Ok: queued as ${transaction?.["mailhost.transaction.id"]}`,
    });
    expect(named("rcpt judge")[1]).toEqual({
      "mailhost.hook": "rcpt",
      "mailhost.plugin.name": "judge",
      "mailhost.plugin.version": "3.1.4",
      "mailhost.tap": "judge",
      "mailhost.verdict": "refused",
      "mailhost.recipient": "mallory@shop.test",
      "mailhost.reply.code": 550,
      "mailhost.reply.text": "550 5.7.1 Mallory is not welcome",
    });
    expect(named("data judge")).toMatchObject([{ "mailhost.edits": ["add field X-Seen"], "mailhost.tap": "stamp" }]);
  });

  test("of a tap that failed, of its transaction and of its session are errors; a refusal is none", async () => {
    register();
    const spans = await spansOf(["jane@shop.test", "mallory@shop.test", "trent@shop.test"]);
    const errors = spans.filter(({ status }) => status.code === SpanStatusCode.ERROR);
    expect(errors.map(({ name, status }) => [name, status.message])).toEqual([
      ["rcpt judge", "fails: trent is broken [trent@shop.test]"],
      ["smtp transaction", "plugin judge failed in rcpt"],
      ["smtp session", "plugin judge failed in rcpt"],
    ]);
  });

  test("of each message by itself begin with the message", async () => {
    register();
    const server = await serve({ plugins: [sink(), waterfall({ log: false, each: "message" })] });
    const speaker = await hello(server.client());
    await speaker.deliver({ to: "jane@shop.test" });
    await speaker.deliver({ to: "joe@shop.test" });
    await speaker.ask("QUIT");
    const sessions = exporter.getFinishedSpans().filter(({ name }) => name === "smtp session");
    expect(sessions.map(({ attributes }) => attributes["mailhost.session.part"])).toEqual([undefined, 2]);
    const [one, two] = sessions;
    expect(one?.attributes["mailhost.session.id"]).toBe(two?.attributes["mailhost.session.id"]);
    if (one === undefined || two === undefined) throw new Error("there are two");
    expect(nanoseconds(two.startTime)).toBeGreaterThanOrEqual(nanoseconds(one.endTime) - 1000n);
  });

  test("belong to nothing that is under way in the program", async () => {
    register();
    const other = trace.getTracer("other").startSpan("other");
    await context.with(trace.setSpan(ROOT_CONTEXT, other), () => spansOf(["jane@shop.test"]));
    const session = exporter.getFinishedSpans().find(({ name }) => name === "smtp session");
    expect(session?.spanContext().traceId).not.toBe(other.spanContext().traceId);
  });

  test.each([
    ["spans: false", false],
    ["only sessions that failed", "auto"],
  ] as const)("are not made when nobody wants them: %s", async (_why, spans) => {
    register();
    expect(await spansOf(["jane@shop.test"], { spans, only: { failed: true } })).toEqual([]);
  });

  test("are not made without a tracer, nor where the program samples none", async () => {
    const { told, mail } = { told: [] as unknown[], mail: ["jane@shop.test"] };
    await spansOf(mail, { on: (one) => void told.push(one) });
    register(new AlwaysOffSampler());
    await spansOf(mail, { on: (one) => void told.push(one) });
    expect(exporter.getFinishedSpans()).toEqual([]);
    expect(told).toHaveLength(2);
  });
});

describe("without @opentelemetry/api", () => {
  beforeEach(() => {
    vi.doMock("@opentelemetry/api", () => {
      throw new Error("Cannot find package '@opentelemetry/api'");
    });
  });
  afterEach(() => vi.doUnmock("@opentelemetry/api"));

  test("auto makes none and says nothing", async () => {
    expect(await spansOf(["jane@shop.test"], { spans: "auto", on: () => {} })).toEqual([]);
  });

  test("true is a start-up error that says how to mend it", async () => {
    const server = mailhost({ name: "mx.example.com", plugins: [sink(), waterfall({ spans: true })] });
    const error: ConfigurationError = await server.prepare().then(
      () => expect.unreachable(),
      (reason: ConfigurationError) => reason,
    );
    expect(error.problems).toMatchObject([
      { code: "BAD_OPTION", mend: expect.stringContaining("npm install @opentelemetry/api") },
    ]);
    expect(error.problems[0]?.where).toContain("plugins[1].options.spans");
  });
});
