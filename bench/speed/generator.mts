// The clients of the bench, in a process of their own. Every reply is checked: a wrong code, one too many and a
// connection that is closed end the load.
import { Speaker } from "./speaker.mts";

export interface Load {
  readonly port: number;
  /** Messages in all, and connections at work at once. */
  readonly messages: number;
  readonly parallel: number;
  /** A connection for each message, or one that is kept. */
  readonly kept: boolean;
  /** MAIL, RCPT and DATA in one segment. */
  readonly pipelined: boolean;
  readonly recipients: number;
  /** Octets of the body, in lines of 76 octets. */
  readonly octets: number;
  /** Every line begins with a dot, which is stuffed. */
  readonly dots: boolean;
  /** No message: a session with STARTTLS (a full handshake or a resumed one), or with AUTH PLAIN, and QUIT. */
  readonly session?: "full" | "resumed" | "auth";
  /** Messages a second in all, begun whether the last one is done or not; latency is what counts then. */
  readonly perSecond?: number;
}

export interface Done {
  readonly seconds: number;
  /** Milliseconds from MAIL to the answer to the dot. */
  readonly median: number;
  readonly p99: number;
}

const bodyOf = ({ octets, dots }: Load): Buffer => {
  const line = `${(dots ? ".." : "").padEnd(74, "abcdefghijklmnopqrstuvwxyz ")}\r\n`;
  const lines = line.repeat(Math.ceil(octets / 76));
  return Buffer.from(`Subject: bench\r\n\r\n${lines}.\r\n`, "latin1");
};

const plain = Buffer.from("\0user\0secret").toString("base64");

/** A session without a message, resumed with that ticket; the first one gives the ticket to come again with. */
async function visit({ port, session }: Load, ticket?: Buffer): Promise<Buffer | undefined> {
  const speaker = new Speaker(port);
  await speaker.ask("", "220");
  await speaker.ask("EHLO client.test\r\n", "250");
  if (session === "auth") {
    await speaker.ask(`AUTH PLAIN ${plain}\r\n`, "235");
    await speaker.quit();
    return undefined;
  }
  await speaker.ask("STARTTLS\r\n", "220");
  const begun = await speaker.startTls(ticket);
  if (ticket !== undefined && !begun.reused) throw new Error("not resumed");
  await speaker.ask("EHLO client.test\r\n", "250");
  const given = session === "resumed" && ticket === undefined ? await begun.ticket : undefined;
  await speaker.quit();
  return given;
}

async function visits(load: Load, next: () => boolean, took: number[], ticket: Buffer | undefined): Promise<void> {
  while (next()) {
    const from = performance.now();
    await visit(load, ticket);
    took.push(performance.now() - from);
  }
}

/** Begins a message when its time has come; each idle connection takes the next. */
async function openLoop(load: Load, perSecond: number, took: number[]): Promise<void> {
  const idle: Speaker[] = [];
  const body = bodyOf(load);
  const send = async (): Promise<void> => {
    const begun = performance.now(); // a timer of the generator's own may come early or late
    let speaker = idle.pop();
    if (speaker === undefined) {
      speaker = new Speaker(load.port);
      await speaker.ask("", "220");
      await speaker.ask("EHLO client.test\r\n", "250");
    }
    await speaker.ask("MAIL FROM:<a@client.test>\r\n", "250");
    await speaker.ask("RCPT TO:<u0@example.com>\r\n", "250");
    await speaker.ask("DATA\r\n", "354");
    await speaker.ask(body, "250");
    took.push(performance.now() - begun);
    idle.push(speaker);
  };
  const from = performance.now();
  const under: Promise<void>[] = [];
  for (let at = 0; at < load.messages; at += 1) {
    const wait = from + (at * 1000) / perSecond - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const sent = send();
    sent.catch(() => {}); // heard below
    under.push(sent);
  }
  await Promise.all(under);
  for (const speaker of idle) await speaker.quit();
}

async function work(load: Load, next: () => boolean, took: number[]): Promise<void> {
  const rcpt = Array.from({ length: load.recipients }, (_, at) => `RCPT TO:<u${at}@example.com>\r\n`);
  const group = ["MAIL FROM:<a@client.test>\r\n", ...rcpt, "DATA\r\n"];
  const codes = [...Array<string>(load.recipients + 1).fill("250"), "354"];
  const body = bodyOf(load);
  let speaker: Speaker | undefined;
  while (next()) {
    if (speaker === undefined) {
      speaker = new Speaker(load.port);
      await speaker.ask("", "220");
      await speaker.ask("EHLO client.test\r\n", "250");
    }
    const from = performance.now();
    if (load.pipelined) await speaker.ask(group.join(""), ...codes);
    else for (const [at, line] of group.entries()) await speaker.ask(line, codes[at] ?? "");
    await speaker.ask(body, "250");
    took.push(performance.now() - from);
    if (load.kept) continue;
    await speaker.quit();
    speaker = undefined;
  }
  await speaker?.quit();
}

async function run(load: Load): Promise<Done> {
  let left = load.messages;
  const next = (): boolean => (left -= 1) >= 0;
  const took: number[] = [];
  const ticket = load.session === "resumed" ? await visit(load) : undefined;
  const from = performance.now();
  const go = (): Promise<void> =>
    load.session === undefined ? work(load, next, took) : visits(load, next, took, ticket);
  if (load.perSecond === undefined) await Promise.all(Array.from({ length: load.parallel }, go));
  else await openLoop(load, load.perSecond, took);
  const seconds = (performance.now() - from) / 1000;
  took.sort((one, other) => one - other);
  const at = (part: number): number => took[Math.min(took.length - 1, Math.floor(took.length * part))] ?? NaN;
  return { seconds, median: at(0.5), p99: at(0.99) };
}

process.on("message", (load) => {
  // Only the bench sends here, and only loads
  run(load as Load).then(
    (done) => process.send?.({ done }),
    (problem: unknown) => process.send?.({ problem: String(problem) }),
  );
});
process.on("disconnect", () => process.exit(0));
