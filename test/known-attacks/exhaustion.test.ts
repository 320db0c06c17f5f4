import { connect } from "node:net";
import { type Refusal, definePlugin, mailhost, reject } from "@mailhost/core";
import { mux } from "@mailhost/plugin-mux";
import { MemoryWire, TestClock, client, sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { anyTls, ehlo, quietLog } from "../support/dialogue.ts";
import { SocketClient, listen } from "../support/socket.ts";

// Memory, processor time and crashes. An uncaught exception fails the run of the tests by itself.

const taking = () => ({ plugins: [sink()], log: quietLog });
const inTransaction = ["HELO client.test", "MAIL FROM:<joe@example.net>", "RCPT TO:<jane@example.com>", "DATA"];

const megabyte = 1024 * 1024;

describe("a line without end grows the buffer (CVE-2026-38728, CVE-2026-67445)", () => {
  test("it is dropped while it arrives, and answered once it ends", async () => {
    const speaker = await client(taking());
    await speaker.line();
    const before = process.memoryUsage().arrayBuffers;
    const chunk = new Uint8Array(64 * 1024).fill(0x41);
    for (let sent = 0; sent < 4096; sent += 1) speaker.send(chunk); // 256 MiB
    // Copies the kit made and nobody has collected yet; the engine keeps none
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(128 * megabyte);
    expect(speaker.lines).toHaveLength(1);
    expect(await speaker.ask("")).toEqual(["500 5.5.2 Line too long"]);
    expect(await speaker.ask("NOOP")).toEqual(["250 2.0.0 Ok"]);
    await speaker.close();
  });

  test("512 octets with CRLF are a line, 513 are not; MAIL has what its parameters add", () => {
    const noop = (octets: number) => `NOOP ${"x".repeat(octets - 7)}`;
    return transcript(
      taking,
      `
      S: 220 *
      C: ${noop(512)}
      S: 250 *
      C: ${noop(513)}
      S: 500 5.5.2 *
      C: ${noop(100_000)}
      S: 500 5.5.2 *
      C: NOOP
      S: 250 *
      C: HELO client.test
      S: 250 *
      C: MAIL FROM:<${"x".repeat(200)}@${"d".repeat(60)}.${"e".repeat(60)}.${"f".repeat(60)}.${"g".repeat(50)}> SIZE=00000000000000000001 BODY=8BITMIME
      S: 250 2.1.0 *
    `,
    );
  });
});

describe("a size limit never wired, then checked per line only (CVE-2026-45710, GHSA-fpxj-m5q8-fphw, GHSA-r553-m4fv-5v97)", () => {
  const small = () => ({ ...taking(), limits: { messageOctets: 100_000 } });
  const tooBig = "552 5.3.4 Message too big";

  test("the limit is on by default, and announced", () =>
    transcript(
      taking,
      `
      S: 220 *
      ${ehlo().replace("SIZE *", "SIZE 26214400")}
      C: MAIL FROM:<> SIZE=26214401
      S: 552 5.3.4 *
      C: MAIL FROM:<> SIZE=26214400
      S: 250 2.1.0 *
    `,
    ));

  test.each([
    ["one line", "x".repeat(100_001)],
    ["many lines", "xy\r\n".repeat(25_001)],
    ["one field", `X-Big: ${"x".repeat(100_001)}`],
    ["many fields", "X-Many: y\r\n".repeat(10_000)],
  ])("%s over the limit: refused after its end, and the session goes on", async (_what, body) => {
    const box = sink();
    const speaker = await client({ ...small(), plugins: [box] });
    await speaker.line();
    for (const line of inTransaction) await speaker.ask(line);
    expect(await speaker.ask(`${body}\r\n.`)).toEqual([tooBig]);
    for (const line of inTransaction.slice(1)) await speaker.ask(line);
    // The control: exactly as much as is allowed
    expect(await speaker.ask(`${"x".repeat(99_998)}\r\n.`)).toEqual([expect.stringMatching(/^250 2\.0\.0/)]);
    expect(box.messages).toHaveLength(1);
    await speaker.close();
  });

  test("what is over the limit is not kept", async () => {
    const speaker = await client(small());
    await speaker.line();
    for (const line of inTransaction) await speaker.ask(line);
    const chunk = new Uint8Array(megabyte).fill(0x41);
    for (let sent = 0; sent < 64; sent += 1) speaker.send(chunk);
    expect(await speaker.ask("\r\n.")).toEqual([tooBig]);
    await speaker.close();
  });
});

test("a header named `__proto__` crashed the worker (CVE-2026-34752): nothing from the wire is a key of an object", async () => {
  const box = sink({ everything: false });
  const names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"];
  await transcript(
    () => ({
      plugins: [anyTls(), mux({ routes: { "*@example.com": "sink" } }), box],
      limits: { errors: 100, unknownCommands: 100 },
      log: quietLog,
    }),
    `
    S: 220 *
    ${ehlo("STARTTLS").replace("client.test", "__proto__")}
    ${names.map((name) => `C: ${name}\nS: 500 5.5.1 *\nC: AUTH ${name}\nS: 502 5.5.1 *`).join("\n")}
    ${names
      .filter((name) => !name.includes("_"))
      .map((name) => `C: MAIL FROM:<a@example.net> ${name}=1\nS: 555 5.5.4 *`)
      .join("\n")}
    C: MAIL FROM:<a@example.net> __proto__=1
    S: 501 5.5.4 *
    C: MAIL FROM:<__proto__@__proto__>
    S: 250 2.1.0 *
    ${names.map((name) => `C: RCPT TO:<${name}@${name}>\nS: 550 5.7.1 *`).join("\n")}
    ${names.map((name) => `C: RCPT TO:<${name}@example.com>\nS: 250 2.1.5 *`).join("\n")}
    C: DATA
    S: 354 *
    ${names.map((name) => `C: ${name}: polluted`).join("\n")}
    C:
    C: .
    S: 250 2.0.0 *
  `,
  );
  expect(box.messages[0]?.recipients).toEqual(names.map((name) => `${name}@example.com`));
  expect(box.messages[0]?.text).toContain("__proto__: polluted\r\nconstructor: polluted\r\n");
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

test("nested message/rfc822 without end, recursion in address groups (CVE-2026-26312, CVE-2025-14874, GHSA-46j5-6fg5-4gv3): nothing is parsed", async () => {
  const box = sink();
  const speaker = await client({ plugins: [box], log: quietLog });
  await speaker.line();
  for (const line of inTransaction) await speaker.ask(line);
  const groups = `To: ${"a:(".repeat(20_000)}`;
  const nested = "Content-Type: message/rfc822\r\n\r\n".repeat(50_000);
  expect(await speaker.ask(`${groups}\r\n${nested}.`)).toEqual([expect.stringMatching(/^250 2\.0\.0/)]);
  const [message] = box.messages;
  expect(message?.text.endsWith(nested)).toBe(true);
  await speaker.close();
});

describe("long arguments and sudden ends (Qualys 2015, CVE-2019-16928, CVE-2017-16943/4)", () => {
  test("a long EHLO", () =>
    transcript(
      taking,
      `
      S: 220 *
      C: EHLO ${"x".repeat(255)}
      ${ehlo().split("\n").slice(1).join("\n")}
      C: EHLO ${"x".repeat(256)}
      S: 501 5.5.4 *
      C: EHLO ${"x".repeat(11_000)}
      S: 500 5.5.2 *
      C: EHLO ${"\u00fc".repeat(200)}
      ${ehlo().split("\n").slice(1).join("\n")}
    `,
    ));

  test("a client that is gone at any octet of a dialogue", async () => {
    const octets = Buffer.from(
      "EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<jane@example.com>\r\nDATA\r\nSubject: x\r\n\r\n..\r\n.\r\nQUIT\r\n",
    );
    const box = sink();
    for (let at = 0; at <= octets.length; at += 1) {
      const speaker = await client({ plugins: [box], log: quietLog });
      speaker.send(octets.subarray(0, at));
      await speaker.close();
    }
    // Whole bodies are delivered: those cut behind the final dot
    expect(box.messages).toHaveLength("QUIT\r\n".length + 1);
  });
});

test("a plugin's status without text crashed the server (CVE-2026-43964): replies pass a validating constructor", async () => {
  const refusing = (opinion: () => unknown) =>
    definePlugin({
      name: "policy",
      version: "1.0.0",
      core: "^1.0.0",
      // What JavaScript without types may return
      apply: (host) => host.hooks.rcpt.tap("policy", () => opinion() as Refusal),
    })();
  for (const [opinion, reply] of [
    [() => reject("", { status: "5.7.2" }), "550 5.7.2 "],
    [() => ({ reply: { code: 550, status: "5.7.2" } }), "451 4.3.0 *"],
    [() => reject(undefined, { status: "5.7" as "5.7.1" }), "451 4.3.0 *"],
    [() => reject("x", { code: 250 as 550 }), "451 4.3.0 *"],
    [() => "550 5.7.2", "451 4.3.0 *"],
  ] as const)
    await transcript(
      () => ({ plugins: [sink(), refusing(opinion)], log: quietLog }),
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      C: MAIL FROM:<>
      S: 250 *
      C: RCPT TO:<jane@example.com>
      S: ${reply}
      C: NOOP
      S: 250 *
    `,
    );
});

describe("a client gone before anything was said is an uncaught exception (smtp-server 38a3190, e240a50, cdaefd8)", () => {
  test.each(["none", "implicit"] as const)("reset at once, a hundred times; TLS: %s", async (tls) => {
    const listener = { host: "127.0.0.1", port: 0, ...(tls === "implicit" ? { tls } : {}) };
    const { port } = await listen({
      plugins: [anyTls(), sink()],
      listeners: [listener],
      limits: { connectionsPerClient: 500 },
    });
    await Promise.all(
      Array.from({ length: 100 }, (_, index) => {
        const socket = connect(port, "127.0.0.1", () => {
          if (index % 2 === 0) socket.write("EHLO client.test\r\nSTARTTLS\r\n");
          socket.resetAndDestroy();
        });
        socket.on("error", () => {});
        return new Promise((resolve) => socket.once("close", resolve));
      }),
    );
    if (tls === "none") expect(await (await SocketClient.secured(port)).ask("NOOP")).toMatch(/^250/);
  });
});

describe("Slowloris, floods, never-read replies: limits of time and number, no reads while replies are unsent", () => {
  test("no reads while replies are unsent, whatever is written; and it goes on once they are read", async () => {
    const server = await mailhost({ name: "mx.example.com", plugins: [sink()], log: quietLog }).prepare();
    const wire = new MemoryWire();
    const engine = server.dialogue(wire);
    wire.attach(engine);
    engine.start();
    wire.reads = false;
    const commands = Buffer.from("HELP\r\nNOOP\r\n".repeat(2000));
    engine.receive(Uint8Array.from(commands));
    expect(wire.paused).toBe(true);
    const unread = wire.writes.length;
    for (let more = 0; more < 10; more += 1) engine.receive(Uint8Array.from(commands.subarray(0, 12)));
    expect(wire.writes).toHaveLength(unread);
    wire.reads = true;
    engine.drained();
    await expect.poll(() => wire.paused).toBe(false); // a turn at a time
    expect(wire.lines.filter((line) => line.startsWith("250")).length).toBe(2010);
    engine.gone("end of the test");
    await server.close();
  });

  test("a real client that never reads is read no further", async () => {
    const { port } = await listen({ ...taking(), limits: { commands: Infinity } });
    const deaf = connect(port, "127.0.0.1");
    deaf.on("error", () => {});
    deaf.pause();
    const chunk = "HELP\r\n".repeat(10_000);
    const before = process.memoryUsage().rss;
    for (let sent = 0; sent < 200; sent += 1) deaf.write(chunk); // 12 MB that ask for 200 MB of replies
    const reader = SocketClient.to(port);
    await reader.reply();
    for (let turn = 0; turn < 500; turn += 1) expect(await reader.ask("NOOP")).toMatch(/^250/);
    // Most of it still waits at the client: the server took what fits into its sockets
    expect(deaf.writableLength).toBeGreaterThan(6 * megabyte);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * megabyte);
    deaf.destroy();
  });

  test("so many connections for each client, and in all", async () => {
    const { port } = await listen({ ...taking(), limits: { connectionsPerClient: 3 } });
    const three = [SocketClient.to(port), SocketClient.to(port), SocketClient.to(port)];
    for (const one of three) expect(await one.reply()).toMatch(/^220/);
    expect(await SocketClient.to(port).rest()).toMatch(/^421 4\.7\.0 .* your address\r\n$/);
    // A place is free once somebody leaves
    await three[0]?.ask("QUIT");
    await three[0]?.rest();
    const server = await listen({ ...taking(), limits: { connections: 1 } });
    expect(await SocketClient.to(server.port).reply()).toMatch(/^220/);
    expect(await SocketClient.to(server.port).rest()).toMatch(/^421 4\.7\.0 Too many connections/);
  });

  test("so many commands, errors, recipients and transactions", async () => {
    const held = (limits: object, dialogue: string) =>
      transcript(() => ({ ...taking(), limits }), `S: 220 *\nC: HELO client.test\nS: 250 *\n${dialogue}`);
    await held({ commands: 3 }, "C: NOOP\nS: 250 *\nC: NOOP\nS: 250 *\nC: NOOP\nS: 421 4.7.0 *\nS: <close>");
    await held({ errors: 2 }, "C: DATA\nS: 503 *\nC: DATA\nS: 421 4.7.0 *\nS: <close>");
    await held({ unknownCommands: 2 }, "C: WHAT\nS: 500 *\nC: WHAT\nS: 421 4.7.0 *\nS: <close>");
    await held(
      { recipients: 1 },
      "C: MAIL FROM:<>\nS: 250 *\nC: RCPT TO:<a@example.com>\nS: 250 *\nC: RCPT TO:<b@example.com>\nS: 452 4.5.3 *",
    );
    const begin = "C: MAIL FROM:<>\nS: 250 *\nC: RSET\nS: 250 *\n";
    await held({ transactions: 2 }, `${begin}${begin}C: MAIL FROM:<>\nS: 421 4.7.0 *\nS: <close>`);
  });

  test("an octet a minute ends with the session's time", async () => {
    const clock = new TestClock();
    const speaker = await client({ ...taking(), clock, limits: { messageOctets: 0 } });
    await speaker.line();
    for (const line of inTransaction) await speaker.ask(line);
    for (let minute = 0; minute < 29; minute += 1) {
      clock.advance(60_000);
      speaker.send(Uint8Array.of(0x78));
    }
    expect(speaker.ended).toBe(false);
    clock.advance(60_000);
    expect(await speaker.line()).toMatch(/^421 4\.4\.2/);
    expect(speaker.ended).toBe(true);
    await speaker.close();
  });
});
