// The clients of the bench, in a process of their own. Every reply is checked: a wrong code ends the bench.
import { type Socket, connect } from "node:net";
import { connect as secure } from "node:tls";

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

/** Replies of one connection, counted by their last lines. */
class Speaker {
  socket: Socket;
  #rest = "";
  #codes: string[] = [];
  #wanted = 0;
  #wake: ((codes: string[]) => void) | undefined;
  #fail: ((problem: Error) => void) | undefined;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#listen();
  }

  #listen(): void {
    this.socket.setEncoding("latin1");
    this.socket.on("data", (chunk: string) => this.#hear(chunk));
    this.socket.on("error", (problem) => this.#fail?.(problem));
    this.socket.on("close", () => this.#fail?.(new Error("closed")));
  }

  /** Shakes hands, with the session that is there; gives the one to come again with. */
  startTls(session: Buffer | undefined): Promise<{ ticket: Promise<Buffer>; reused: boolean }> {
    this.socket.removeAllListeners();
    return new Promise((resolve, reject) => {
      const inner = secure({
        socket: this.socket,
        rejectUnauthorized: false,
        ...(session === undefined ? {} : { session }),
      });
      const ticket = new Promise<Buffer>((settle) => inner.once("session", settle));
      inner.once("error", reject);
      inner.once("secureConnect", () => {
        this.socket = inner;
        this.#listen();
        resolve({ ticket, reused: inner.isSessionReused() });
      });
    });
  }

  #hear(chunk: string): void {
    const text = this.#rest + chunk;
    let at = 0;
    for (let end = text.indexOf("\r\n", at); end >= 0; end = text.indexOf("\r\n", at)) {
      if (text.charCodeAt(at + 3) !== 45) this.#codes.push(text.slice(at, at + 3)); // 45: a hyphen, more lines come
      at = end + 2;
    }
    this.#rest = text.slice(at);
    this.#look();
  }

  #look(): void {
    if (this.#codes.length < this.#wanted || this.#wake === undefined) return;
    const wake = this.#wake;
    this.#wake = undefined;
    wake(this.#codes.splice(0, this.#wanted));
  }

  /** Writes, and resolves once these codes came. */
  ask(octets: string | Uint8Array, ...codes: string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      this.#wanted = codes.length;
      this.#wake = (heard) =>
        heard.join() === codes.join() ? resolve() : reject(new Error(`${heard.join()} for ${codes.join()}`));
      if (octets.length > 0) this.socket.write(octets);
      this.#look();
    });
  }
}

const bodyOf = ({ octets, dots }: Load): Buffer => {
  const line = `${(dots ? ".." : "").padEnd(74, "abcdefghijklmnopqrstuvwxyz ")}\r\n`;
  const lines = line.repeat(Math.ceil(octets / 76));
  return Buffer.from(`Subject: bench\r\n\r\n${lines}.\r\n`, "latin1");
};

const plain = Buffer.from("\0user\0secret").toString("base64");

/** Sessions without a message. */
async function visit(load: Load, next: () => boolean, took: number[]): Promise<void> {
  let ticket: Buffer | undefined;
  while (next()) {
    const from = performance.now();
    const speaker = new Speaker(load.port);
    await speaker.ask("", "220");
    await speaker.ask("EHLO client.test\r\n", "250");
    if (load.session === "auth") await speaker.ask(`AUTH PLAIN ${plain}\r\n`, "235");
    else {
      await speaker.ask("STARTTLS\r\n", "220");
      const begun = await speaker.startTls(load.session === "resumed" ? ticket : undefined);
      if (load.session === "resumed" && ticket !== undefined && !begun.reused) throw new Error("not resumed");
      await speaker.ask("EHLO client.test\r\n", "250");
      if (load.session === "resumed") ticket ??= await begun.ticket;
    }
    await speaker.ask("QUIT\r\n", "221");
    speaker.socket.destroy();
    took.push(performance.now() - from);
  }
}

/** Begins a message when its time has come; each idle connection takes the next. */
async function openLoop(load: Load, perSecond: number, took: number[]): Promise<void> {
  const idle: Speaker[] = [];
  const body = bodyOf(load);
  const send = async (due: number): Promise<void> => {
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
    took.push(performance.now() - due);
    idle.push(speaker);
  };
  const from = performance.now();
  const under: Promise<void>[] = [];
  for (let at = 0; at < load.messages; at += 1) {
    const due = from + (at * 1000) / perSecond;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    under.push(send(Math.max(due, performance.now() - 1))); // a timer of the generator's own may come late
  }
  await Promise.all(under);
  for (const { socket } of idle) socket.destroy();
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
    await speaker.ask("QUIT\r\n", "221");
    speaker.socket.destroy();
    speaker = undefined;
  }
  speaker?.socket.destroy();
}

async function run(load: Load): Promise<Done> {
  let left = load.messages;
  const next = (): boolean => (left -= 1) >= 0;
  const took: number[] = [];
  const from = performance.now();
  const go = load.session === undefined ? work : visit;
  if (load.perSecond === undefined)
    await Promise.all(Array.from({ length: load.parallel }, () => go(load, next, took)));
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
