import { duplexPair } from "node:stream";
import { connect as connectTls } from "node:tls";
import { tlsUpgrade } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import { generate } from "selfsigned";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { plugin, recorder, turn } from "../support/dialogue.ts";
import { type Caller, calling, connect, listening } from "../support/sockets.ts";
import { type Wrong, fail, rubbish, untaken } from "../support/wrong.ts";

let pem = { cert: "", key: "" };
beforeAll(async () => {
  const { cert, private: key } = await generate([{ name: "commonName", value: "mx.example.com" }], {
    keyType: "ec",
    algorithm: "sha256",
  });
  pem = { cert, key };
});

const seen: unknown[] = [];
const secure = (options: () => object = () => pem) =>
  plugin("secure", (host) => {
    const upgrade = tlsUpgrade(options);
    if (host.listener.implicitTls) host.extend({ preamble: { kind: "upgrade", upgrade } });
    else
      host.extend({
        verbs: {
          XSECURE: {
            last: true,
            octets: 512,
            phases: ["new", "ready"],
            run: () => ({ go: "upgrade", reply: { code: 220, text: "Go" }, upgrade }),
          },
        },
      });
    host.hooks.ehlo.tap("secure", (_greeting, { tls }) => void seen.push(tls?.protocol, tls?.servername));
  });

function inTls(through: Caller | number, servername?: string): Caller {
  const where = typeof through === "number" ? { host: "127.0.0.1", port: through } : { socket: through.socket };
  const tls = connectTls({ ...where, rejectUnauthorized: false, ...(servername === undefined ? {} : { servername }) });
  onTestFinished(() => void tls.destroy());
  return calling(tls);
}

const implicit = { listeners: [{ host: "127.0.0.1", port: 0, tls: "implicit" as const }] };

describe("TLS", () => {
  test("from the first octet", async () => {
    seen.length = 0;
    const { port } = await listening({ plugins: [sink(), secure()], ...implicit });
    const { say, hear, closed } = inTls(port, "mx.example.com");
    expect(await hear(1)).toEqual(["220 mx.example.com ESMTP"]);
    say("HELO client.test", "QUIT");
    expect(await hear(2)).toEqual(["250 mx.example.com", "221 2.0.0 Bye"]);
    await closed;
    expect(seen).toEqual(["TLSv1.3", "mx.example.com"]);
  });

  test("by a command, once", async () => {
    seen.length = 0;
    const log = recorder();
    const { port } = await listening({ plugins: [sink(), secure()], log });
    const clear = connect(port);
    clear.say("XSECURE");
    expect(await clear.hear(2)).toEqual(["220 mx.example.com ESMTP", "220 Go"]);
    const { say, hear, closed } = inTls(clear);
    say("HELO client.test");
    expect(await hear(1)).toEqual(["250 mx.example.com"]);
    expect(seen).toEqual(["TLSv1.3", undefined]);
    say("XSECURE");
    expect(await hear(1)).toEqual(["220 Go"]);
    await closed;
    expect(log.lines.join()).toContain("TLS is already there");
  });

  test.each<[string, () => object, string]>([
    ["a key that is none", () => ({ cert: "x", key: "y" }), "TLS with 127.0.0.1 failed"],
    [
      "options that throw",
      () => {
        throw new Error("no certificate");
      },
      "no certificate",
    ],
    [
      "options that throw a text",
      () => {
        throw "no certificate";
      },
      "no certificate",
    ],
    [
      "options that throw what cannot be told",
      () => {
        throw Object.create(null);
      },
      "TLS with 127.0.0.1 failed: {}",
    ],
    ["options that are a promise", () => Promise.reject(new Error("no certificate yet")), "its options are a promise"],
  ])("with %s closes that connection, and is logged", async (_, options, logged) => {
    const log = recorder();
    const { port } = await listening({ plugins: [sink(), secure(options)], log });
    const { say, hear, closed } = connect(port);
    await hear(1);
    say("XSECURE");
    await hear(1);
    await closed;
    expect(log.lines.join()).toContain(logged);
  });

  const broken = "broken on purpose";
  const rejecting: Wrong = () => rubbish(Promise.reject(new Error(broken)));
  type Answer = (error: unknown, context?: unknown) => void;
  type ByName = (asked: string, answer: Answer) => void;
  const byName = (SNICallback: ByName) => ({ SNICallback });
  test.each<[string, object, string]>([
    ["certificate by name that throws", byName(fail), broken],
    ["certificate by name that rejects", byName(rejecting), broken],
    [
      "certificate by name that throws nothing",
      byName(() => {
        throw undefined;
      }),
      "closed during",
    ],
    ["certificate by name that fails with a text", byName((_, answer) => answer(broken)), broken],
    [
      "certificate by name that fails with a getter",
      byName((_, answer) =>
        answer({
          get message() {
            return fail();
          },
        }),
      ),
      "failed: object",
    ],
    ["certificate by name that is none", byName((_, answer) => answer(null, {})), "Invalid SNI context"],
    [
      "certificate by name that is none, later",
      byName((_, answer) => void setTimeout(answer, 5, null, {})),
      "Invalid SNI context",
    ],
    [
      "certificate by name that comes twice",
      byName((_, answer) => {
        answer(null);
        answer(null);
      }),
      "multiple times",
    ],
    ["certificate by name that never comes", byName(() => {}), "took too long"],
    ["protocol that is a promise", { ALPNCallback: rejecting }, "did not match"],
    ["key by name that is a promise", { pskCallback: rejecting, ciphers: "PSK" }, "must be an instance"],
  ])("with a %s closes that connection, and is logged", async (_, callbacks, logged) => {
    const errors = untaken();
    const log = recorder();
    const { port } = await listening({
      plugins: [sink(), secure(() => ({ ...pem, ...callbacks }))],
      log,
      ...implicit,
      timeouts: { handshake: logged === "took too long" ? 50 : 5000 },
    });
    const tls = connectTls({
      host: "127.0.0.1",
      port,
      servername: "mx.example.com",
      ALPNProtocols: ["smtp"],
      rejectUnauthorized: false,
      ...("pskCallback" in callbacks
        ? { ciphers: "PSK", pskCallback: () => ({ psk: Buffer.alloc(32, 1), identity: "joe" }) }
        : {}),
    });
    onTestFinished(() => void tls.destroy());
    await calling(tls).closed;
    while (log.lines.length === 0) await turn();
    expect(log.lines.join()).toContain(logged);
    expect(await errors()).toEqual([]);
  });

  test("whose certificate by name comes again, or late, or not at all then, harms nobody", async () => {
    const errors = untaken();
    const kept: Answer[] = [];
    const sni: ByName = (asked, answer) => {
      kept.push(answer);
      if (asked === "twice.test") answer(null);
    };
    const log = recorder();
    const { port } = await listening({
      plugins: [sink(), secure(() => ({ ...pem, SNICallback: sni }))],
      log,
      ...implicit,
      timeouts: { handshake: 100 },
    });
    const twice = inTls(port, "twice.test");
    await twice.hear(1);
    kept[0]?.(null);
    await twice.closed;
    await inTls(port, "late.test").closed;
    kept[1]?.(null);
    kept[1]?.(new Error(broken));
    expect(log.lines.join()).toContain("took too long");
    expect(await errors()).toEqual([]);
  });

  test("that is no TLS closes that connection", async () => {
    const log = recorder();
    const { port } = await listening({ plugins: [sink(), secure()], log, ...implicit });
    const { socket, closed } = connect(port);
    socket.write("EHLO client.test\r\n");
    await closed;
    expect(log.lines.join()).toContain("TLS with 127.0.0.1 failed");
  });

  test.each(["TLSv1.2", "TLSv1.3"] as const)("that breaks behind the handshake ends it: %s", async (version) => {
    const { port } = await listening({ plugins: [sink(), secure()], ...implicit });
    const below = connect(port);
    const [near, far] = duplexPair(); // so that what the client's layer does about it stays out of the way
    far.pipe(below.socket);
    below.socket.on("data", (octets) => void far.write(octets));
    const tls = connectTls({
      socket: near,
      rejectUnauthorized: false,
      minVersion: version,
      maxVersion: version,
    });
    await calling(tls).hear(1);
    far.unpipe(below.socket);
    below.socket.write("no record of TLS, and long enough to be read as one\r\n");
    await below.closed;
  });

  test("is not renegotiated without end", async () => {
    const { port } = await listening({ plugins: [sink(), secure()], ...implicit });
    const tls = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, maxVersion: "TLSv1.2" });
    onTestFinished(() => void tls.destroy());
    const { hear, closed } = calling(tls);
    await hear(1);
    let times = 0;
    const again = (): void => {
      times += 1;
      if (times < 20) tls.renegotiate({}, again);
      else tls.destroy();
    };
    tls.renegotiate({}, again);
    await closed;
    expect(times).toBeLessThan(20);
  });

  test("that never comes is given up", async () => {
    const log = recorder();
    const { port } = await listening({ plugins: [sink(), secure()], log, ...implicit, timeouts: { handshake: 20 } });
    await connect(port).closed;
    expect(log.lines.join()).toContain("TLS handshake took too long");
  });

  test("whose client leaves in the handshake is over", async () => {
    const log = recorder();
    const { port, server } = await listening({ plugins: [sink(), secure()], log, ...implicit });
    const { socket } = connect(port);
    await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
    socket.end();
    while (log.lines.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await server.close();
    expect(log.lines.join()).toContain("TLS with 127.0.0.1 failed");
  });
});
