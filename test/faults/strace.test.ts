import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { RawClient } from "../kill/client.ts";
import { lacks } from "../support/tools.ts";

// P9 as the kernel sees it: a real server under strace, and one message into a mailbox that is there.

const program = fileURLToPath(new URL("../kill/server.ts", import.meta.url));

/** Calls that matter here, with the paths of descriptors (-y), of all threads (-f): Node's files are its pool's work. */
const traced =
  "trace=fsync,fdatasync,sync,syncfs,sync_file_range,rename,renameat,renameat2,openat,write,writev,pwrite64,sendto,sendmsg";

/** A server of its own process group, under strace, which writes to that file. */
async function start(folder: string, output: string): Promise<{ port: number; server: ChildProcess }> {
  const node = [process.execPath, "-C", "@mailhost/source", "--import", "tsx", program, join(folder, "mail")];
  const server = spawn("strace", ["-f", "--seccomp-bpf", "-y", "-s", "64", "-e", traced, "-o", output, ...node], {
    // What goes through io_uring is no system call
    env: { ...process.env, UV_USE_IO_URING: "0" },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  onTestFinished(() => {
    const runs = server.exitCode === null && server.signalCode === null;
    if (server.pid !== undefined && runs) process.kill(-server.pid, "SIGKILL");
  });
  const died = once(server, "exit").then(() => Promise.reject(new Error("the server did not start")));
  const [line]: unknown[] = await Promise.race([once(server.stdout, "data"), died]);
  died.catch(() => {});
  return { port: Number(String(line)), server };
}

interface Call {
  readonly text: string;
  /** Places in the trace at which it began and at which it had returned. */
  readonly begun: number;
  readonly ended: number;
}

/** Whole calls in the order of their beginnings: a thread's call may be cut in two by those of others. */
function callsIn(trace: string): Call[] {
  const calls: Call[] = [];
  const unfinished = new Map<string, { text: string; begun: number }>();
  for (const [place, line] of trace.split("\n").entries()) {
    const [, thread = "", text = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const begins = /^(.*?) *<unfinished \.\.\.>$/.exec(text)?.[1];
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)?.[1];
    if (begins !== undefined) unfinished.set(thread, { text: begins, begun: place });
    else if (resumed !== undefined) {
      const { text: first = "", begun = place } = unfinished.get(thread) ?? {};
      calls.push({ text: first + resumed, begun, ended: place });
    } else if (text !== "") calls.push({ text, begun: place, ended: place });
  }
  return calls.toSorted((one, other) => one.begun - other.begun);
}

test.skipIf(lacks("strace"))(
  "strace shows: fsync of the file, rename, fsync of new, the 250, and no other fsync",
  { timeout: 120_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "mailhost-strace-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const output = join(folder, "trace");
    const { port, server } = await start(folder, output);
    const client = new RawClient(port);
    expect(await client.greet()).toBe(true);
    expect(await client.deliver(["jane@example.com"], "Subject: before\r\n\r\nHello\r\n")).toBe(true);
    expect(await client.deliver(["jane@example.com"], "Subject: during\r\n\r\nHello\r\n")).toBe(true);
    client.leave();
    if (server.pid !== undefined) process.kill(-server.pid, "SIGTERM");
    await once(server, "close");
    const calls = callsIn(readFileSync(output, "utf8")).filter(({ text }) => telling.test(text));
    const answered = calls.findIndex(({ text }) => text.includes(queued));
    const second = calls.slice(answered + 1);
    expect(second.map(({ text }) => inWords(text, folder))).toEqual([
      "fsync(mail/example.com/jane/tmp/<message>)",
      "rename(mail/example.com/jane/tmp/<message>, mail/example.com/jane/new/<message>)",
      "fsync(mail/example.com/jane/new)",
      "250",
    ]);
    for (const [index, { text, begun }] of second.entries())
      expect(begun, text).toBeGreaterThan(second[index - 1]?.ended ?? calls[answered]?.ended ?? 0);
  },
);

const queued = '"250 2.0.0 Ok: queued as ';

/** What makes durable, what shows, what answers. */
const telling = /^(?:fsync|fdatasync|sync|syncfs|sync_file_range|rename\w*)\(|"250 2\.0\.0 Ok: queued as /;

/** A call that succeeded, with the paths below the folder alone. */
function inWords(text: string, folder: string): string {
  if (text.includes(queued)) return "250";
  const short = text.replaceAll(`${folder}/`, "").replaceAll(/\d+\.M\d+P[^">]*/g, "<message>");
  return short
    .replaceAll('"', "")
    .replace(/^(\w+)\(\d+<(.*)>\) += 0$/, "$1($2)")
    .replace(/ += 0$/, "");
}
