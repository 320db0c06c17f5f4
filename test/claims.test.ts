import { readFileSync } from "node:fs";
import { type Socket, connect } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { type MailhostOptions, defaultLimits, defaultTimeouts, definePlugin, mailhost } from "@mailhost/core";
import { type Client, TestClock, client, sink } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { janesPassword, plain, quietLog } from "./support/dialogue.ts";

// docs/limits.md, row by row: the number that stands there is the one in force, and the reply behind it is what a client hears.

interface Row {
  readonly limit: string;
  readonly number: number;
  /** Code and status of the reply beyond the limit, where one is promised. */
  readonly reply: string | undefined;
}

const page = readFileSync(join(import.meta.dirname, "../docs/limits.md"), "utf8");
const rows: readonly Row[] = page
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .slice(2)
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .map(([, limit = "", value = "", beyond = ""]) => ({
    limit: limit.replaceAll("`", ""),
    number: Number(/^\d+/.exec(value)?.[0]),
    reply: /\d{3} \d\.\d\.\d+/.exec(`${beyond} ${value}`)?.[0],
  }));

const rowOf = (limit: string): Row => {
  const row = rows.find((one) => one.limit === limit);
  if (row === undefined) throw new Error(`docs/limits.md has no row ${limit}`);
  return row;
};

test("every limit and every time limit has its row, with the default that is in force", () => {
  const promised = rows.filter(({ limit }) => limit.includes(".")).map(({ limit, number }) => [limit, number]);
  const inForce = [
    ...Object.entries(defaultLimits).map(([name, value]) => [`limits.${name}`, value]),
    ...Object.entries(defaultTimeouts).map(([name, value]) => [`timeouts.${name}`, value]),
  ];
  expect(Object.fromEntries(promised)).toEqual(Object.fromEntries(inForce));
});

/** The last line said to a client at the limit, and to one beyond it. */
interface Heard {
  readonly within: string;
  readonly beyond: string;
}

const last = async (speaker: Client): Promise<string> => (await speaker.reply()).at(-1) ?? "";
const ask = async (speaker: Client, line: string): Promise<string> => (await speaker.ask(line)).at(-1) ?? "";

async function greeted(options: MailhostOptions = {}): Promise<Client> {
  const speaker = await client({ plugins: [sink()], log: quietLog, ...options });
  await speaker.reply();
  await speaker.ask("EHLO client.test");
  return speaker;
}

/** The reply to the line said so many times, and to it said once more. */
async function said(line: string, times: number, speaker: Client): Promise<Heard> {
  let within = "";
  for (let count = 0; count < times; count += 1) within = await ask(speaker, line);
  return { within, beyond: await ask(speaker, line) };
}

async function deliver(speaker: Client, message: string): Promise<string> {
  for (const line of ["MAIL FROM:<>", "RCPT TO:<jane@example.com>", "DATA"]) await speaker.ask(line);
  speaker.send(message);
  return ask(speaker, ".");
}

const verbFilled = (verb: string, octets: number): string => `${verb} ${"x".repeat(octets - verb.length - 3)}`;

const experiments: Readonly<Record<string, (number: number) => Promise<Heard>>> = {
  "limits.lineOctets": async (octets) => {
    const speaker = await greeted();
    return {
      within: await ask(speaker, verbFilled("VRFY", octets)),
      beyond: await ask(speaker, verbFilled("VRFY", octets + 1)),
    };
  },
  "limits.authLineOctets": async (octets) => {
    const speaker = await greeted({ plugins: [sink(), janesPassword({ allowInsecure: true })] });
    const answer = async (length: number): Promise<string> => {
      await speaker.ask("AUTH PLAIN");
      return ask(speaker, "x".repeat(length - 2));
    };
    return { within: await answer(octets), beyond: await answer(octets + 1) };
  },
  "limits.messageOctets": async (octets) => {
    const speaker = await greeted();
    expect(speaker.lines).toContain(`250-SIZE ${octets}`);
    const beyond = await ask(speaker, `MAIL FROM:<> SIZE=${octets + 1}`);
    return { within: await ask(speaker, `MAIL FROM:<> SIZE=${octets}`), beyond };
  },
  "header section": async (octets) => {
    const speaker = await greeted();
    // Lines of 1000 octets, and one for what is missing to the number; the empty line that ends the section is not counted
    const line = `X-Long: ${"x".repeat(990)}\r\n`;
    const section = (size: number): string => {
      const whole = line.repeat(Math.floor(size / line.length) - 1);
      return `${whole}X-Rest: ${"x".repeat(size - whole.length - 10)}\r\n`;
    };
    return {
      within: await deliver(speaker, section(octets - 2)),
      beyond: await deliver(speaker, section(octets + 1000)),
    };
  },
  "header fields": async (fields) => {
    const speaker = await greeted();
    const many = (count: number): string => `${"X:\r\n".repeat(count)}\r\nHello`;
    return { within: await deliver(speaker, many(fields)), beyond: await deliver(speaker, many(fields + 1)) };
  },
  "Received fields": async (fields) => {
    const speaker = await greeted();
    const traced = (count: number): string => `${"Received: by mx.example.net\r\n".repeat(count)}\r\nHello`;
    return { within: await deliver(speaker, traced(fields)), beyond: await deliver(speaker, traced(fields + 1)) };
  },
  "limits.recipients": async (count) => {
    const speaker = await greeted();
    await speaker.ask("MAIL FROM:<>");
    let within = "";
    for (let box = 1; box <= count; box += 1) within = await ask(speaker, `RCPT TO:<box${box}@example.com>`);
    return { within, beyond: await ask(speaker, "RCPT TO:<one-more@example.com>") };
  },
  "limits.transactions": async (count) => {
    const speaker = await greeted();
    for (let before = 1; before < count; before += 1) {
      await speaker.ask("MAIL FROM:<>");
      await speaker.ask("RSET");
    }
    const within = await ask(speaker, "MAIL FROM:<>");
    await speaker.ask("RSET");
    return { within, beyond: await ask(speaker, "MAIL FROM:<>") };
  },
  "limits.commands": async (count) => said("NOOP", count - 1, await greeted()), // EHLO was the first
  "limits.errors": async (count) => said("RCPT TO:<jane@example.com>", count - 1, await greeted()),
  "limits.unknownCommands": async (count) => said("WIZ", count - 1, await greeted()),
  "limits.authFailures": async (count) => {
    const speaker = await greeted({ plugins: [sink(), janesPassword({ allowInsecure: true })] });
    return said(`AUTH PLAIN ${plain("", "jane", "wrong")}`, count - 1, speaker);
  },
  "timeouts.command": async (milliseconds) => silence(milliseconds, (speaker) => ask(speaker, "NOOP")),
  "timeouts.data": async (milliseconds) =>
    silence(milliseconds, async (speaker) => {
      for (const line of ["MAIL FROM:<>", "RCPT TO:<jane@example.com>"]) await speaker.ask(line);
      return ask(speaker, "DATA");
    }),
  "timeouts.session": async (milliseconds) => {
    const clock = new TestClock();
    const speaker = await greeted({ clock });
    let within = "";
    for (let passed = 0; passed + 200_000 < milliseconds; passed += 200_000) {
      clock.advance(200_000);
      within = await ask(speaker, "NOOP");
    }
    clock.advance(200_000);
    return { within, beyond: await last(speaker) };
  },
  "timeouts.tap": async (milliseconds) => hanging("rcpt", milliseconds),
  "timeouts.delivery": async (milliseconds) => hanging("data", milliseconds),
};

/** A client that says nothing for a millisecond less, and for so long. */
async function silence(milliseconds: number, begin: (speaker: Client) => Promise<string>): Promise<Heard> {
  const clock = new TestClock();
  const speaker = await greeted({ clock });
  const within = await begin(speaker);
  const before = speaker.lines.length;
  clock.advance(milliseconds - 1);
  expect(speaker.lines.length).toBe(before);
  clock.advance(1);
  return { within, beyond: await last(speaker) };
}

/** A tap that never answers: nothing is said a millisecond before its time is up. */
async function hanging(hook: "rcpt" | "data", milliseconds: number): Promise<Heard> {
  const clock = new TestClock();
  const hangs = definePlugin({
    name: "hangs",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (host) => host.hooks[hook].tapPromise("hang", () => new Promise(() => {})),
  });
  const speaker = await greeted({ plugins: [sink(), hangs()], clock });
  const within = await ask(speaker, "MAIL FROM:<>");
  if (hook === "data") for (const line of ["RCPT TO:<jane@example.com>", "DATA"]) await speaker.ask(line);
  const before = speaker.lines.length;
  const waiting = clock.waiting;
  speaker.send(hook === "data" ? "Subject: x\r\n\r\n." : "RCPT TO:<jane@example.com>");
  await expect.poll(() => clock.waiting).toBeGreaterThan(hook === "data" ? 0 : waiting - 1);
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(milliseconds - 1);
  expect(speaker.lines.length).toBe(before);
  clock.advance(1);
  return { within, beyond: await last(speaker) };
}

describe("at the limit, and beyond it", () => {
  for (const [limit, experiment] of Object.entries(experiments))
    test(limit, async () => {
      const { number, reply } = rowOf(limit);
      const { within, beyond } = await experiment(number);
      expect(reply).toBeDefined();
      expect(within).not.toContain(reply);
      expect(beyond.slice(0, reply?.length)).toBe(reply);
    });
});

test("one client may hold so many connections, and no more", async () => {
  const { number, reply } = rowOf("limits.connectionsPerClient");
  const server = await mailhost({ plugins: [sink()], log: quietLog }).listen(0, "127.0.0.1");
  const open: Socket[] = [];
  const connected = async (): Promise<string> => {
    const socket = connect(server.addresses[0]?.port ?? 0, "127.0.0.1");
    open.push(socket);
    const [octets]: unknown[] = await once(socket, "data");
    return String(octets);
  };
  try {
    for (let count = 0; count < number; count += 1) expect(await connected()).toMatch(/^220 /);
    expect((await connected()).slice(0, reply?.length)).toBe(reply);
  } finally {
    for (const socket of open) socket.destroy();
    await server.close();
  }
});
