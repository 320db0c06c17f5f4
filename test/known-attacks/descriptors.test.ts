import { spawn } from "node:child_process";
import { once } from "node:events";
import { type Socket, connect } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SocketClient } from "../support/socket.ts";

test("no new session after descriptors ran out and came back", async () => {
  const program = join(import.meta.dirname, "descriptors.ts");
  const node = [process.execPath, "-C", "@mailhost/source", "--import", "tsx", program];
  const child = spawn("sh", ["-c", 'ulimit -n 80; exec "$@"', "sh", ...node], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [line] = (await once(child.stdout, "data")) as [Buffer]; // one line: the port
  const port = Number(String(line));

  const sockets: Socket[] = [];
  for (let opened = 0; opened < 150; opened += 1) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    sockets.push(socket);
    await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
  }
  // They did run out: not everybody was greeted
  expect(sockets.filter(({ bytesRead }) => bytesRead > 0).length).toBeLessThan(sockets.length);
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
