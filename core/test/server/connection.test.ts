import { TestClock, sink } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { upgrading } from "../support/auth.ts";
import { plugin, recorder, turn } from "../support/dialogue.ts";
import { connect, listening } from "../support/sockets.ts";

const message = [
  "EHLO client.test",
  "MAIL FROM:<jane@example.com>",
  "RCPT TO:<joe@example.com>",
  "DATA",
  "Subject: x",
  "",
  "text",
  ".",
  "QUIT",
];

describe("over TCP", () => {
  test("a message is delivered, and the connection closed", async () => {
    const box = sink();
    const { port } = await listening({ plugins: [box] });
    const { say, hear, closed } = connect(port);
    await hear(1);
    say(...message);
    const codes = (await hear(11)).map((line) => line.slice(0, 3));
    expect(codes).toEqual(["250", "250", "250", "250", "250", "250", "250", "250", "354", "250", "221"]);
    await closed;
    expect(box.messages[0]?.text).toMatch(
      /^Received: from client\.test \(\[127\.0\.0\.1\]\)\r\n\tby mx\.example\.com with ESMTP id /,
    );
  });

  test("an IPv4 client of an IPv6 socket is an IPv4 client", async () => {
    let address: string | undefined;
    const watch = plugin("watch", ({ hooks }) =>
      hooks.connect.tap("watch", ({ client }) => void (address = client.address)),
    );
    const { port } = await listening({ plugins: [sink(), watch], listeners: [{ host: "::ffff:127.0.0.1", port: 0 }] });
    await connect(port).hear(1);
    expect(address).toBe("127.0.0.1");
  });

  test("a client that closes its half is answered to the end", async () => {
    const box = sink();
    const { port } = await listening({ plugins: [box] });
    const { socket, say, hear, closed } = connect(port);
    say(...message.slice(0, -1));
    socket.end();
    await closed;
    expect((await hear(11)).map((line) => line.slice(0, 3)).slice(-2)).toEqual(["354", "250"]);
    expect(box.messages).toHaveLength(1);
  });

  test("a client that floods behind its last reply is not listened to for long", async () => {
    const { port } = await listening({ plugins: [sink()] });
    const { socket, say, hear } = connect(port);
    await hear(1);
    const gone = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.pause(); // so it never sees the end
    say("QUIT");
    const piece = Buffer.alloc(65_536, "x");
    const pieces = 1024;
    let taken = 0;
    const pour = (): void => {
      if (taken < pieces) socket.write(piece, (problem) => void (problem ?? ((taken += 1), pour())));
    };
    pour();
    await gone;
    expect(taken).toBeLessThan(pieces / 2); // a mebibyte, and what the buffers of two kernels hold
  });

  test("a client that resets in the middle harms nobody", async () => {
    const box = sink();
    const { port, server } = await listening({ plugins: [box] });
    for (const count of [1, 3, 5, 7]) {
      const { socket, say, hear } = connect(port);
      await hear(1);
      say(...message.slice(0, count));
      await turn();
      socket.resetAndDestroy();
    }
    const { say, hear } = connect(port);
    await hear(1);
    say("QUIT");
    expect(await hear(1)).toEqual(["221 2.0.0 Bye"]);
    await server.close();
    expect(box.messages).toHaveLength(0);
  });

  test("a client that closes behind the dot without waiting has delivered", async () => {
    const box = sink();
    const { port, server } = await listening({ plugins: [box] });
    const { socket, say, hear } = connect(port);
    await hear(1);
    say(...message);
    await hear(9);
    socket.destroy();
    await server.close();
    expect(box.messages).toHaveLength(1);
  });

  test("a client that never reads is not written to without end", async () => {
    const { port } = await listening({ plugins: [sink()], limits: { commands: 10_000_000, errors: 10_000_000 } });
    const { socket, hear } = connect(port);
    await hear(1);
    socket.pause();
    const helps = Buffer.from("HELP\r\n".repeat(10_000));
    let sent = 0;
    // The server stops reading, so that the client's own writes stall at some time
    while (socket.writableLength < 4_000_000 && sent < 3000) {
      socket.write(helps);
      sent += 1;
      await turn();
    }
    expect(socket.writableLength).toBeGreaterThan(1_000_000);
    socket.destroy();
  });

  test("a TLS record and an HTTP request end the connection with a word", async () => {
    const { port } = await listening({ plugins: [sink()] });
    for (const octets of [
      Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3]),
      Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ]) {
      const { socket, hear, closed } = connect(port);
      await hear(1);
      socket.write(octets);
      expect(await hear(1)).toEqual(["554 5.5.1 This is an SMTP server"]);
      await closed;
    }
  });

  test("an upgrade that nobody knows closes the connection, and is logged", async () => {
    const log = recorder();
    const { port } = await listening({ plugins: [sink(), upgrading()], log });
    const { say, hear, closed } = connect(port);
    await hear(1);
    say("XUPGRADE");
    expect(await hear(1)).toEqual(["220 Go"]);
    await closed;
    expect(log.lines.join()).toContain("no such upgrade: test");
  });
});

describe("too many connections", () => {
  test("in all, and from one address, are told so; a place that was left is free again", async () => {
    for (const [limits, reply] of [
      [{ connections: 2 }, "421 4.7.0 Too many connections, try again later"],
      [{ connectionsPerClient: 2 }, "421 4.7.0 Too many connections from your address"],
    ] as const) {
      const { port } = await listening({ plugins: [sink()], limits });
      const [one, two] = [connect(port), connect(port)];
      await one.hear(1);
      await two.hear(1);
      const three = connect(port);
      expect(await three.hear(1)).toEqual([reply]);
      await three.closed;
      one.say("QUIT");
      await one.closed;
      one.socket.destroy();
      let again = connect(port);
      while ((await again.hear(1))[0] === reply) again = connect(port);
      again.say("NOOP");
      expect(await again.hear(1)).toEqual(["250 2.0.0 Ok"]);
    }
  });

  test("are told to the operator once a minute, with how many there were", async () => {
    const clock = new TestClock();
    const lines: string[] = [];
    const log = {
      debug: () => {},
      info: () => {},
      error: () => {},
      warn: (_: object, line: string) => void lines.push(line),
    };
    const { port } = await listening({ plugins: [sink()], limits: { connections: 0 }, clock, log });
    for (let count = 0; count < 3; count += 1) await connect(port).closed;
    clock.advance(60_000);
    await connect(port).closed;
    expect(lines).toEqual([
      "too many connections: 1 refused, the last from 127.0.0.1",
      "too many connections: 3 refused, the last from 127.0.0.1",
    ]);
  });

  test("where TLS comes first are closed without a word", async () => {
    const preamble = plugin("preamble", (host) =>
      host.extend({ preamble: { kind: "upgrade", upgrade: { upgrade: "test" } } }),
    );
    const { port } = await listening({
      plugins: [sink(), preamble],
      listeners: [{ host: "127.0.0.1", port: 0, tls: "implicit" }],
      limits: { connections: 0 },
    });
    const caller = connect(port);
    await caller.closed;
    expect(await caller.hear(1)).toEqual([]);
  });
});
