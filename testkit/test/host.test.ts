import { ConfigurationError, definePlugin, reject } from "@mailhost/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { type HostOptions, type TestHost, TestResolver, host, sink } from "../src/index.ts";

/** Refuses clients whose address has no name, and says in the log whom it asked about. */
const named = definePlugin<{ text?: string }>({
  name: "named",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host, { text = "Your address has no name" }) {
    host.hooks.rcpt.tapPromise({ name: "named", deadline: 5000 }, async (_recipient, _transaction, { client }) => {
      host.log.info({ client: client.address }, `asking about ${client.address}`);
      const names = await host.resolver.reverse(client.address).catch(() => []);
      return names.length > 0 ? undefined : reject(text);
    });
  },
});

const resolver = () => new TestResolver({ "192.0.2.7": { ptr: ["client.example.com"] } });

/** A host that is closed after the test. */
async function serve(options: HostOptions = { plugins: [sink()] }): Promise<TestHost> {
  const server = await host(options);
  onTestFinished(() => server.close());
  return server;
}

describe("a host", () => {
  test("serves clients that come from anywhere, quietly, and keeps what was logged and traced", async () => {
    const box = sink();
    const server = await serve({ plugins: [box, named()], resolver: resolver() });
    const friend = server.client({ client: "192.0.2.7" });
    const stranger = server.client({ client: "198.51.100.9" });
    for (const speaker of [friend, stranger]) {
      await speaker.reply();
      await speaker.ask("EHLO client.test");
    }
    expect(await friend.deliver({ to: "jane@example.com" })).toEqual([expect.stringMatching(/^250 2\.0\.0 /)]);
    expect(await stranger.deliver({ to: ["jane@example.com", "joe@example.com"] })).toEqual([
      "550 5.7.1 Your address has no name",
    ]);
    expect(box.messages).toHaveLength(1);
    expect(server.log.map(({ message }) => message)).toContain("asking about 198.51.100.9");
    expect(server.resolver.queries).toHaveLength(3);
    const verdicts = server.trace.flatMap((event) =>
      event.type === "tap" && event.plugin === "named" ? event.outcome.kind : [],
    );
    expect(verdicts).toEqual(["silent", "refused", "refused"]);
  });

  test("has a clock that stands still: a judge who gets no answer is over at its deadline", async () => {
    const server = await serve({ plugins: [sink(), named()], resolver: resolver().delay("192.0.2.7", Infinity) });
    const speaker = server.client({ client: "192.0.2.7" });
    await speaker.reply();
    for (const line of ["EHLO client.test", "MAIL FROM:<>"]) await speaker.ask(line);
    speaker.send("RCPT TO:<jane@example.com>");
    server.clock.advance(4999);
    const before = speaker.lines.length;
    server.clock.advance(1);
    expect(await speaker.reply()).toEqual([expect.stringMatching(/^451 4\.3\.0 /)]);
    expect(speaker.lines).toHaveLength(before + 1);
    expect(server.log.map(({ message }) => message)).toContain("plugin named failed in rcpt: no answer within 5000 ms");
  });

  test("reloads: new clients get the new options, a broken configuration changes nothing", async () => {
    const server = await serve({ plugins: [sink(), named()] });
    const old = server.client();
    await server.reload({ plugins: [sink(), named({ text: "New words" })] });
    await expect(server.reload({ plugins: [] })).rejects.toBeInstanceOf(ConfigurationError);
    const young = server.client();
    for (const [speaker, words] of [
      [old, "Your address has no name"],
      [young, "New words"],
    ] as const) {
      await speaker.reply();
      await speaker.ask("EHLO client.test");
      expect(await speaker.deliver({ to: "jane@example.com" })).toEqual([`550 5.7.1 ${words}`]);
    }
  });

  test("is not made for a configuration that cannot be", async () => {
    await expect(host({ plugins: [] })).rejects.toBeInstanceOf(ConfigurationError);
  });
});

describe("a client with bad manners", () => {
  test("speaks before the server does, and sends on when it was told to go", async () => {
    const server = await serve();
    const slow = definePlugin({
      name: "slow",
      version: "1.0.0",
      core: "^1.0.0",
      apply: (host) =>
        host.hooks.connect.tapPromise("slow", async () => {
          await new Promise((resolve) => setImmediate(resolve));
        }),
    });
    await server.reload({ plugins: [sink(), slow()] });
    const speaker = server.client({ early: "EHLO too.soon" });
    await speaker.reply();
    expect(await speaker.reply()).toHaveLength(6);
    expect(server.trace.find(({ type }) => type === "client")?.session.spokeEarly).toBe(true);
    await speaker.ask("QUIT");
    speaker.send("MAIL FROM:<>\r\nRCPT TO:<jane@example.com>");
    expect(speaker.lines.at(-1)).toBe("221 2.0.0 Bye");
  });

  test("cuts its octets anywhere", async () => {
    const server = await serve();
    const speaker = server.client();
    await speaker.reply();
    speaker.drip("HELO client.test\r\nNOOP", 3);
    expect(await speaker.reply()).toEqual(["250 mx.example.com"]);
    expect(await speaker.reply()).toEqual(["250 2.0.0 Ok"]);
  });

  test("stops reading, and catches up", async () => {
    const server = await serve();
    const speaker = server.client();
    await speaker.reply();
    speaker.wire.reads = false;
    speaker.send("HELO client.test");
    speaker.send("NOOP");
    expect(speaker.lines).toHaveLength(2);
    expect(await speaker.pour(new Uint8Array(0))).toBe(true);
    expect(speaker.wire.paused).toBe(true);
    speaker.wire.reads = true;
    expect(speaker.lines).toHaveLength(3);
    expect(speaker.wire.paused).toBe(false);
  });

  test("pours as much as the server takes, and not more than that", async () => {
    const server = await serve();
    const speaker = server.client({ patience: 20 });
    await speaker.reply();
    await speaker.ask("HELO client.test");
    speaker.wire.reads = false;
    speaker.send("NOOP");
    expect(await speaker.pour(new Uint8Array(200_000))).toBe(false);
  });

  test("closes its half, and hears the rest", async () => {
    const server = await serve();
    const speaker = server.client();
    await speaker.reply();
    speaker.send("HELO client.test");
    speaker.endInput();
    expect(await speaker.reply()).toEqual(["250 mx.example.com"]);
    expect(await speaker.closed()).toBe(true);
  });

  test("its close leaves the server of a host alone", async () => {
    const server = await serve();
    {
      // oxlint-disable-next-line typescript/await-thenable -- it does not see that a client is disposed of
      await using speaker = server.client();
      await speaker.reply();
    }
    expect(await server.client().reply()).toEqual(["220 mx.example.com ESMTP"]);
  });
});
