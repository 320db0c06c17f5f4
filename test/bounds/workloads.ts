import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Caller, crowd, disperse, paced } from "./clients.ts";

const mebi = 1024 * 1024;

/** How much of everything: the figures of docs/limits.md, or fewer for every day. */
export interface Size {
  readonly streamOctets: number;
  readonly recipients: number;
  readonly authOctets: number;
  readonly idle: number;
  /** Connections a second, and for how many seconds. */
  readonly rate: number;
  readonly seconds: number;
  /** Clients whose body comes at an octet a second. */
  readonly slow: number;
}

export const whole: Size = {
  streamOctets: 64 * mebi,
  recipients: 100_000,
  authOctets: 10_000_000,
  idle: 10_000,
  rate: 500,
  seconds: 20,
  slow: 100,
};

export const small: Size = {
  streamOctets: 36 * mebi,
  recipients: 20_000,
  authOctets: 2_000_000,
  idle: 1000,
  rate: 500,
  seconds: 1,
  slow: 20,
};

/** One kind of bad client. */
export interface Workload {
  readonly name: string;
  /** Memory the server may grow by. */
  readonly grow: (size: Size) => number;
  /** Tells what the server said. */
  readonly run: (port: number, size: Size) => Promise<string>;
  /** The last code that is expected. */
  readonly ends: string;
  /** Measured over one run, not over as many as fit into some seconds. */
  readonly once?: true;
}

const hello = ["EHLO client.test"];
const envelope = [...hello, "MAIL FROM:<joe@client.test>", "RCPT TO:<jane@example.com>"];
const data = [...envelope, "DATA"];

/** The piece over and over, in chunks of 64 KiB, until there are so many octets. */
function* repeated(piece: string, octets: number): Generator<Uint8Array> {
  const chunk = Buffer.from(piece.repeat(Math.ceil(65_536 / piece.length)), "latin1");
  for (let sent = 0; sent < octets; sent += chunk.length) yield chunk;
}

const text = (said: string): Uint8Array => Buffer.from(said, "latin1");

interface Stream {
  readonly opening?: readonly string[];
  readonly secure?: boolean;
  readonly flood: (size: Size) => Iterable<Uint8Array>;
  /** What ends it, when the server has not. */
  readonly closing?: string;
}

/** One connection that sends without end, and the last word it heard. */
const stream =
  ({ opening = hello, secure = false, flood, closing = "" }: Stream) =>
  async (port: number, size: Size): Promise<string> => {
    const caller = new Caller(port);
    try {
      await caller.replies(1);
      if (secure) await caller.secure();
      for (const line of opening) await caller.say(line);
      const before = caller.codes.length;
      await caller.pour(flood(size));
      if (closing !== "" && !caller.hungUp) await caller.pour([text(closing)]);
      await caller.until(() => (closing === "" ? false : caller.codes.length > before));
      return caller.codes.slice(before).at(-1) ?? "";
    } finally {
      caller.leave();
    }
  };

function* addresses(count: number, different: boolean): Generator<Uint8Array> {
  for (let at = 0; at < count; at += 500)
    yield text(
      Array.from({ length: 500 }, (_, by) => `RCPT TO:<box${different ? at + by : ""}@example.com>\r\n`).join(""),
    );
}

/** Commands whose replies are never read. Ends when the server takes no more, or has hung up. */
const deaf = (piece: string) => async (port: number, size: Size) => {
  const program = join(import.meta.dirname, "deaf.py");
  await promisify(execFile)("python3", [program, String(port), piece, String(size.streamOctets)]);
  return "";
};

const fromOneStream = (): number => 16 * mebi;

/** Objects and pieces of a message that somebody works with are the collector's, and it begins when some 32 MiB wait. */
const leftToCollector = (): number => 48 * mebi;

const streams: Readonly<Record<string, Stream & { readonly ends: string }>> = {
  "a command without a line end": { flood: (size) => repeated("x", size.streamOctets), closing: "\r\n", ends: "500" },
  "header fields": {
    opening: data,
    flood: (size) => repeated("X-Field: of no use to anybody\r\n", size.streamOctets),
    closing: "\r\n.\r\n",
    ends: "552",
  },
  "one header field": {
    opening: data,
    flood: (size) => [text("X-Field: "), ...repeated("x", size.streamOctets)],
    closing: "\r\n.\r\n",
    ends: "552",
  },
  "a body of lines": {
    opening: data,
    flood: (size) => [text("\r\n"), ...repeated("a line of text\r\n", size.streamOctets)],
    closing: ".\r\n",
    ends: "552",
  },
  "a body without a line end": {
    opening: data,
    flood: (size) => [text("\r\n"), ...repeated("x", size.streamOctets)],
    closing: "\r\n.\r\n",
    ends: "552",
  },
  "a body of stuffed dots": {
    opening: data,
    flood: (size) => [text("\r\n"), ...repeated("..\r\n", size.streamOctets)],
    closing: ".\r\n",
    ends: "552",
  },
  "a body of lines, inside TLS": {
    secure: true,
    opening: data,
    closing: ".\r\n",
    ends: "552",
    flood: (size) => [text("\r\n"), ...repeated("a line of text\r\n", size.streamOctets)],
  },
  commands: { flood: (size) => repeated("NOOP\r\n", size.streamOctets), ends: "421" },
  "commands with long replies": { flood: (size) => repeated("EHLO client.test\r\n", size.streamOctets), ends: "421" },
};

const legalOctets = 25 * mebi - 128 * 1024; // whole chunks of 64 KiB, and fields that are added

export const workloads: readonly Workload[] = [
  ...Object.entries(streams).map(([name, one]) => ({
    name: `a stream: ${name}`,
    grow: fromOneStream,
    run: stream(one),
    ends: one.ends,
  })),
  {
    name: "a message of 25 MiB, the most that is taken, read by a transport",
    grow: leftToCollector,
    ends: "250",
    run: stream({
      opening: data,
      flood: (size) => [text("\r\n"), ...repeated("a line of text\r\n", Math.min(legalOctets, size.streamOctets))],
      closing: ".\r\n",
    }),
  },
  {
    name: "RCPT, each another",
    grow: fromOneStream,
    once: true,
    ends: "421",
    run: stream({ opening: envelope, flood: (size) => addresses(size.recipients, true) }),
  },
  {
    name: "the same for five seconds, one client after the other",
    grow: leftToCollector,
    ends: "421",
    run: stream({ opening: envelope, flood: (size) => addresses(size.recipients, true) }),
  },
  {
    name: "RCPT, always the same",
    grow: fromOneStream,
    ends: "421",
    run: stream({ opening: envelope, flood: (size) => addresses(size.recipients, false) }),
  },
  {
    name: "an AUTH command",
    grow: fromOneStream,
    ends: "500",
    run: stream({ flood: (size) => [text("AUTH PLAIN "), ...repeated("A", size.authOctets)], closing: "\r\n" }),
  },
  {
    name: "an answer to AUTH's challenge",
    grow: fromOneStream,
    ends: "500",
    run: stream({
      opening: [...hello, "AUTH PLAIN"],
      flood: (size) => repeated("A", size.authOctets),
      closing: "\r\n",
    }),
  },
  { name: "replies never read: NOOP", grow: fromOneStream, run: deaf("NOOP"), ends: "" },
  { name: "replies never read: EHLO", grow: fromOneStream, run: deaf("EHLO client.test"), ends: "" },
  {
    name: "replies never read: long HELP",
    grow: fromOneStream,
    run: deaf(`HELP ${"x".repeat(505)}`),
    ends: "",
  },
  {
    name: "connections that say EHLO and no more",
    grow: (size) => Math.max(fromOneStream(), (300 * mebi * size.idle) / 10_000),
    ends: "250",
    async run(port, size) {
      const callers = await crowd(port, size.idle, hello, size.rate);
      await sleep(1000 * size.seconds);
      const said = callers.every(({ codes, hungUp }) => codes.join() === "220,250" && !hungUp);
      await disperse(callers, size.rate);
      return said ? "250" : `${callers.filter(({ codes }) => codes.length === 2).length} of ${size.idle} greeted`;
    },
  },
  { name: "connections, one after the other", grow: fromOneStream, run: arriving, ends: "221" },
  {
    name: "bodies at an octet a second",
    grow: fromOneStream,
    ends: "250",
    async run(port, size) {
      const callers = await crowd(port, size.slow, data, size.rate);
      for (let second = 0; second < size.seconds; second += 1) {
        for (const { socket } of callers) socket.write("x");
        await sleep(1000);
      }
      const said = await Promise.all(callers.map((caller) => caller.say("\r\n.").then(() => caller.codes.at(-1))));
      await disperse(callers, size.rate);
      return said.find((code) => code !== "250") ?? "250";
    },
  },
];

/** So many connections every second, each greets and leaves. */
async function arriving(port: number, { rate, seconds }: Size): Promise<string> {
  const visits: Promise<string>[] = [];
  await paced(rate * seconds, rate, (at) => visits.push(visit(port, `127.0.3.${1 + (at % 250)}`)));
  const said = await Promise.all(visits);
  return said.find((code) => code !== "221") ?? "221";
}

async function visit(port: number, from: string): Promise<string> {
  const caller = new Caller(port, from);
  await caller.replies(1);
  for (const line of [...hello, "QUIT"]) await caller.say(line);
  caller.leave();
  return caller.codes.at(-1) ?? "";
}
