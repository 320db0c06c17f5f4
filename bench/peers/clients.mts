// Clients of the worst kind. Each ends after `patience` milliseconds at the latest.
import { type Socket, connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface Heard {
  /** Octets that were handed to the kernel. */
  readonly sent: number;
  /** First three octets of every reply line that ends a reply. */
  readonly codes: readonly string[];
  /** The server ended the connection. */
  readonly hungUp: boolean;
}

/** Resolves once `enough` says so, or after that many milliseconds. */
async function until(enough: () => boolean, milliseconds: number): Promise<void> {
  const late = performance.now() + milliseconds;
  while (!enough() && performance.now() < late) await sleep(5);
}

const opened = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(socket)).once("error", reject);
  });

/** Says `opening` a line at a time, each behind the answer to the last, then pours `flood`, then waits for silence. */
export async function pour(
  port: number,
  opening: readonly string[],
  flood: Iterable<string | Uint8Array>,
  { patience = 20_000, read = true, quiet = 500 } = {},
): Promise<Heard> {
  const socket = await opened(port);
  const codes: string[] = [];
  let text = "";
  let heardAt = performance.now();
  let hungUp = false;
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    heardAt = performance.now();
    const lines = (text + chunk).split("\r\n");
    text = lines.pop() ?? "";
    codes.push(...lines.filter((line) => /^\d{3}( |$)/.test(line)).map((line) => line.slice(0, 3)));
  });
  socket
    .on("error", () => {})
    .on("end", () => (hungUp = true))
    .on("close", () => (hungUp = true));
  const late = performance.now() + patience;
  const wait = (enough: () => boolean): Promise<void> => until(() => hungUp || enough(), late - performance.now());
  await wait(() => codes.length > 0);
  for (const line of opening) {
    const before = codes.length;
    socket.write(line);
    await wait(() => codes.length > before);
  }
  if (!read) socket.pause();
  const before = socket.bytesWritten;
  for (const piece of flood) {
    if (hungUp || performance.now() > late) break;
    let drained = socket.write(piece);
    if (!drained) socket.once("drain", () => (drained = true));
    await wait(() => drained);
    if (!drained) break; // nobody reads any more
  }
  heardAt = performance.now();
  if (read) await wait(() => performance.now() - heardAt > quiet && socket.writableLength === 0);
  const sent = socket.bytesWritten - before - socket.writableLength;
  socket.destroy();
  return { sent, codes, hungUp };
}

/** `count` connections that say EHLO and nothing more; `close` ends them. Waits while one more is answered within twenty seconds. */
export async function idle(port: number, count: number): Promise<{ answered: number; close(): void }> {
  const sockets: Socket[] = [];
  let answered = 0;
  let settled = 0;
  for (let at = 0; at < count; at += 1) {
    const socket = connect({ port, host: "127.0.0.1", localAddress: `127.0.0.${2 + (at % 200)}` });
    socket.on("error", () => {});
    // What a full backlog loses comes again seconds later
    socket.once("connect", () => (settled += 1)).once("error", () => (settled += 1));
    socket.setEncoding("latin1").on("data", (said: string) => {
      if (/^220 /m.test(said)) socket.write("EHLO client.test\r\n");
      if (/^250 /m.test(said)) answered += 1;
    });
    sockets.push(socket);
    if (at % 50 === 49) await sleep(20);
    await until(() => sockets.length - settled < 100, 2000);
  }
  const goesOn = (before: number): boolean => answered > before && answered < count;
  for (let before = -1; goesOn(before);) {
    before = answered;
    await until(() => answered > before, 20_000);
  }
  return { answered, close: () => sockets.forEach((socket) => socket.destroy()) };
}
