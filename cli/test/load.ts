import { readFileSync, readdirSync } from "node:fs";
import { type Socket, connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A message that was answered with 250. */
export interface Delivered {
  readonly id: string;
  /** The server's name in the 220 of its session. */
  readonly server: string;
}

/** One session that minds everything: an answer it did not want, an error of the socket, an end it did not ask for. */
export class Session {
  server = "";
  readonly #socket: Socket;
  #heard = "";
  #over: string | undefined;
  #wake: () => void = () => {};

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (text) => {
      this.#heard += String(text);
      this.#wake();
    });
    this.#socket.on("error", (error: NodeJS.ErrnoException) => this.#end(error.code ?? error.message));
    this.#socket.on("close", () => this.#end("closed"));
  }

  #end(why: string): void {
    this.#over ??= why;
    this.#wake();
  }

  /** Rejects with what came instead. */
  async expect(code: string, said = "the connection"): Promise<string> {
    for (;;) {
      const reply = /^(?:\d{3}-[^\r]*\r\n)*\d{3} [^\r]*\r\n/.exec(this.#heard)?.[0];
      if (reply !== undefined) {
        this.#heard = this.#heard.slice(reply.length);
        if (!reply.startsWith(code)) throw new Error(`${said} was answered with ${reply.trim()}`);
        return reply;
      }
      if (this.#over !== undefined) throw new Error(`${said} was answered with ${this.#over}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async say(line: string, code: string): Promise<string> {
    this.#socket.write(`${line}\r\n`);
    return this.expect(code, line);
  }

  async greet(): Promise<this> {
    this.server = (await this.expect("220")).split(" ")[1] ?? "";
    const greeting = await this.say("EHLO client.example", "250");
    if (!greeting.includes(this.server)) throw new Error(`${this.server} greeted as another: ${greeting}`);
    return this;
  }

  async deliver(id: string): Promise<Delivered> {
    await this.say("MAIL FROM:<sender@client.example>", "250");
    await this.say("RCPT TO:<jane@example.com>", "250");
    await this.say("DATA", "354");
    await this.say(`Message-ID: <${id}>\r\n\r\nHello\r\n.`, "250");
    return { id, server: this.server };
  }

  /** Ends as a client should, and sees the server end. */
  async quit(): Promise<void> {
    await this.say("QUIT", "221");
    while (this.#over === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#over !== "closed") throw new Error(`QUIT ended with ${this.#over}`);
    this.#socket.destroy();
  }

  hangUp(): void {
    this.#socket.destroy();
  }
}

/** Clients that come, deliver and go without a pause until they are told to stop. */
export class Load {
  readonly delivered: Delivered[] = [];
  readonly failures: string[] = [];
  sessions = 0;
  #stopped = false;
  readonly #clients: Promise<void>[];

  constructor(port: number, clients: number) {
    this.#clients = Array.from({ length: clients }, (_, number) => this.#client(port, number));
  }

  async #client(port: number, number: number): Promise<void> {
    for (let round = 0; !this.#stopped; round += 1) {
      const session = new Session(port);
      try {
        await session.greet();
        this.sessions += 1;
        for (let message = 0; message <= (number + round) % 3; message += 1) {
          this.delivered.push(await session.deliver(`${number}-${round}-${message}@client.example`));
          if (number % 5 === 0) await sleep(20); // some take their time
        }
        await session.quit();
        await sleep(5);
      } catch (error) {
        session.hangUp();
        this.failures.push(error instanceof Error ? error.message : String(error));
        await sleep(20);
      }
    }
  }

  /** Resolves after so many further sessions, or at the first failure. */
  async further(more: number): Promise<void> {
    const enough = this.sessions + more;
    while (this.sessions < enough && this.failures.length === 0) await sleep(5);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }
}

/** What is stored below a folder: by Message-ID, the path and the text of every copy. */
export function storedBelow(root: string): Map<string, { readonly path: string; readonly text: string }[]> {
  const stored = new Map<string, { path: string; text: string }[]>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.parentPath.endsWith("/new")) continue;
    const path = join(entry.parentPath, entry.name);
    const text = readFileSync(path, "latin1");
    const id = /^Message-ID: <(.*)>$/m.exec(text)?.[1] ?? "";
    stored.set(id, [...(stored.get(id) ?? []), { path: path.slice(root.length + 1), text }]);
  }
  return stored;
}
