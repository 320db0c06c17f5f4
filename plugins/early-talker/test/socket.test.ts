import { once } from "node:events";
import { type AddressInfo, type Socket, connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Log, type Mailhost, definePlugin, mailhost } from "@mailhost/core";
import { starttls } from "@mailhost/plugin-starttls";
import { sink } from "@mailhost/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { earlyTalker } from "../src/index.ts";

// On real sockets: the wait is short, and nothing here depends on how short.

const refusal = "554 5.5.1 You spoke before the greeting\r\n";
const quietLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

let server: Mailhost;
beforeAll(async () => {
  server = mailhost({
    name: "mx.example.com",
    log: quietLog,
    plugins: [
      earlyTalker({ wait: 300, exempt: [], modes: ["transfer", "submission"] }),
      starttls({ selfSigned: true }),
      sink(),
    ],
    listeners: [
      { name: "transfer", host: "127.0.0.1", port: 0 },
      { name: "submissions", host: "127.0.0.1", port: 0, mode: "submission", tls: "implicit" },
    ],
    timeouts: { drain: 100 },
  });
  await server.listen();
});
afterAll(() => server.close());

const portOf = (name: string): AddressInfo["port"] =>
  server.addresses.find(({ listener }) => listener === name)?.port ?? 0;

/** Everything the server says until it closes. */
async function rest(socket: Socket): Promise<string> {
  let text = "";
  socket.setEncoding("latin1").on("data", (piece: string) => (text += piece));
  await once(socket, "close");
  return text;
}

test("a client that waits is greeted and served", async () => {
  const socket = connect(portOf("transfer"), "127.0.0.1");
  const said = rest(socket);
  await once(socket, "data");
  socket.write("HELO client.test\r\nQUIT\r\n");
  expect(await said).toMatch(/^220 mx\.example\.com ESMTP\r\n250 .*\r\n221 .*\r\n$/);
});

test.each([
  ["a whole message", "HELO bot.test\r\nMAIL FROM:<>\r\nRCPT TO:<jane@example.com>\r\nDATA\r\nspam\r\n.\r\nQUIT\r\n"],
  ["a web browser's request", "POST / HTTP/1.1\r\nHost: mx.example.com\r\n\r\n"],
  ["half a megabyte", "x".repeat(512 * 1024)],
])("%s ahead of the greeting is refused, and the client can read why", async (_what, text) => {
  const socket = connect(portOf("transfer"), "127.0.0.1");
  socket.write(text);
  expect(await rest(socket)).toBe(refusal);
});

test("a handshake of TLS is no early word; what is said inside it, ahead of the greeting, is one", async () => {
  const reach = { port: portOf("submissions"), host: "127.0.0.1", rejectUnauthorized: false };
  const polite = connectTls(reach);
  const said = rest(polite);
  await once(polite, "data");
  polite.write("QUIT\r\n");
  expect(await said).toMatch(/^220 .*\r\n221 .*\r\n$/);

  const bot = connectTls(reach);
  bot.write("EHLO bot.test\r\n");
  expect(await rest(bot)).toBe(refusal);
});

test("many that wait are greeted together, and many that do not are refused", async () => {
  const sockets = Array.from({ length: 40 }, () => connect(portOf("transfer"), "127.0.0.1"));
  const said = await Promise.all(
    sockets.map(async (socket, at) => {
      if (at % 2 === 0) socket.write("EHLO bot.test\r\n");
      else socket.once("data", () => socket.write("QUIT\r\n"));
      return (await rest(socket)).slice(0, 3);
    }),
  );
  expect(said).toEqual(sockets.map((_socket, at) => (at % 2 === 0 ? "554" : "220")));
});

test("a server that closes keeps nobody waiting", async () => {
  let came = 0;
  const count = definePlugin({
    name: "count",
    version: "1.0.0",
    core: "^1.0.0",
    apply: ({ hooks }) => hooks.connect.tap("count", () => void (came += 1)),
  });
  const plugins = [count(), earlyTalker({ wait: 25_000, exempt: [] }), sink()];
  const closing = mailhost({ name: "mx.example.com", log: quietLog, plugins });
  await closing.listen(0, "127.0.0.1");
  const port = closing.addresses[0]?.port ?? 0;
  const sockets = [1, 2].map(() => connect(port, "127.0.0.1"));
  const said = sockets.map((socket) => rest(socket));
  sockets[0]?.write("EHLO bot.test\r\n");
  await expect.poll(() => came).toBe(2);
  await closing.close();
  expect(await Promise.all(said)).toEqual(said.map(() => "421 4.3.2 Service shutting down, try again later\r\n"));
});
