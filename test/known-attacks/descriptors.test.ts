import { spawn } from "node:child_process";
import { once } from "node:events";
import { type Socket, connect } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SocketClient } from "../support/socket.ts";

const repository = join(import.meta.dirname, "../..");

/** Descriptors the server may have: enough to start with, fewer than there are clients. */
const most = 200;

// Takes every message; one descriptor goes to the body, which is too long for its memory
const program = `
  import { mailhost } from "@mailhost/core";
  import { sink } from "@mailhost/testkit";
  const limits = { connections: 1000, connectionsPerClient: 1000, messageMemoryOctets: 0 };
  const server = await mailhost({ name: "mx.example.com", plugins: [sink()], limits }).listen(0, "127.0.0.1");
  console.log(server.addresses[0]?.port);
`;

test("no new session after descriptors ran out and came back", async () => {
  const node = [
    process.execPath,
    "-C",
    "@mailhost/source",
    "--import",
    "tsx",
    "--input-type=module",
    "--eval",
    program,
  ];
  const limited = ["-c", `ulimit -n ${most}; exec "$@"`, "sh", ...node];
  const child = spawn("sh", limited, { cwd: repository, stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const died = once(child, "exit").then(() => Promise.reject(new Error("the server did not stay")));
  const port = await Promise.race([once(child.stdout, "data"), died]).then(([line]) => Number(String(line)));

  const sockets: Socket[] = [];
  for (let opened = 0; opened < most + 50; opened += 1) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    sockets.push(socket);
    await new Promise((resolve) => socket.once("data", resolve).once("close", resolve));
  }
  // They did run out: some were greeted, some closed without a word
  expect(new Set(sockets.map(({ bytesRead }) => bytesRead > 0))).toEqual(new Set([true, false]));
  const closed = sockets
    .filter((socket) => !socket.closed)
    .map((socket) => new Promise((resolve) => socket.once("close", resolve)));
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);

  // A message, whole: the server has its descriptors again
  const one = await greeted(port);
  for (const command of ["MAIL FROM:<>", "RCPT TO:<jane@example.com>", "DATA", "text\r\n."])
    expect(await one.ask(command)).toMatch(/^[23]/);
  expect(child.exitCode).toBe(null);
});

/** The first that gets in: the ends of the others reach the server in their own time. */
async function greeted(port: number): Promise<SocketClient> {
  for (;;) {
    const one = SocketClient.to(port);
    if ((await one.reply()).startsWith("220") && (await one.ask("HELO client.test")).startsWith("250")) return one;
  }
}
