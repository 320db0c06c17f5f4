import { duplexPair } from "node:stream";
import { connect as connectTls } from "node:tls";
import { tlsUpgrade } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import { generate } from "selfsigned";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { plugin, recorder } from "../support/dialogue.ts";
import { type Caller, calling, connect, listening } from "../support/sockets.ts";

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
