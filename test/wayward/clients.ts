import { random } from "../../core/test/laws/form.ts";
import { RawClient } from "../kill/client.ts";
import type { Ledger } from "../kill/ledger.ts";
import type { Letter } from "../kill/letters.ts";

const plain = Buffer.from("\0jane\0correct horse").toString("base64");

/** How often a client says a thing again that was answered 4yz. */
const patience = 50;

/** Clients of the listener with the plugin, and of the one without, until their time is over. */
export class Clients {
  readonly problems: string[] = [];
  readonly counts = { sessions: 0, refusedConnections: 0, refusedCommands: 0, refusedMessages: 0, taken: 0, calm: 0 };
  /** Message-IDs that the plugin's own transport has, since their messages were acknowledged. */
  readonly wild: string[] = [];
  readonly #ledger: Ledger;
  readonly #pick: (below: number) => number;
  #until = 0;

  constructor(ledger: Ledger, seed: number) {
    this.#ledger = ledger;
    this.#pick = random(seed);
  }

  async run(wild: number, calm: number, seconds: number): Promise<void> {
    this.#until = performance.now() + seconds * 1000;
    await Promise.all([
      ...Array.from({ length: 20 }, () => this.#again(() => this.#session(wild))),
      ...Array.from({ length: 4 }, () => this.#again(() => this.#calm(calm))),
    ]);
  }

  async #again(session: () => Promise<void>): Promise<void> {
    while (performance.now() < this.#until && this.problems.length < 20)
      await session().catch((error: unknown) => this.problems.push(String(error)));
  }

  /** Nothing the plugin does may be heard here. */
  async #calm(port: number): Promise<void> {
    const client = new RawClient(port);
    if (!(await client.greet())) throw new Error(`the server is gone: ${client.trouble}`);
    for (let count = 0; count < 5; count += 1) {
      const letter = this.#ledger.take();
      const manner = { pipelined: count % 2 === 0, sends: () => this.#ledger.sends(letter) };
      if (!(await client.deliver(letter.recipients, letter.text, manner)))
        throw new Error(`the server is gone: ${client.trouble}`);
      this.#ledger.acknowledge(letter);
      this.counts.calm += 1;
    }
    await client.quit();
  }

  async #session(port: number): Promise<void> {
    const client = new RawClient(port);
    this.counts.sessions += 1;
    const greeting = await client.reply();
    if (!greeting.startsWith("220 ")) {
      this.counts.refusedConnections += 1;
      if (!greeting.startsWith("421 4.3.0 ")) throw new Error(`greeted with ${greeting}`);
      return client.leave();
    }
    await this.#insist(client, "EHLO client.test", "250");
    if (this.#pick(2) === 0) await this.#insist(client, `AUTH PLAIN ${plain}`, "235");
    for (let count = 0; count < 3; count += 1) await this.#message(client, this.#ledger.take());
    await client.quit();
  }

  /** Hands it in until it is taken. */
  async #message(client: RawClient, letter: Letter): Promise<void> {
    const wild = this.#pick(2) === 0;
    const recipients = wild ? ["wild@0.example.com", ...letter.recipients] : letter.recipients;
    for (let time = 0; time < patience; time += 1) {
      await client.ask("MAIL FROM:<sender@example.com>", "250");
      for (const recipient of recipients) await this.#insist(client, `RCPT TO:<${recipient}>`, "250");
      await client.ask("DATA", "354");
      this.#ledger.sends(letter);
      client.say(`${letter.text}.`);
      const reply = await client.reply();
      if (reply.startsWith("250 2.0.0")) {
        this.#ledger.acknowledge(letter);
        this.counts.taken += 1;
        if (wild) this.wild.push(`<${letter.number}@client.test>`);
        return;
      }
      this.counts.refusedMessages += 1;
      await this.#goesOn(client, "the message", reply);
    }
    throw new Error(`message ${letter.number} was refused ${patience} times`);
  }

  /** Says it until it is answered so. */
  async #insist(client: RawClient, line: string, code: string): Promise<void> {
    for (let time = 0; time < patience; time += 1) {
      client.say(line);
      const reply = await client.reply();
      if (reply.startsWith(code)) return;
      this.counts.refusedCommands += 1;
      await this.#goesOn(client, line, reply);
    }
    throw new Error(`${line} was refused ${patience} times`);
  }

  /** A refusal is a 4yz, and the next command is answered as ever. */
  async #goesOn(client: RawClient, line: string, reply: string): Promise<void> {
    // 454: more passwords wait to be checked than one address may have, on a machine that does other things
    if (!/^(?:451 4\.3\.[05]|454 4\.7\.0) /.test(reply))
      throw new Error(`${line} was answered with ${reply || client.trouble || "an end"}`);
    await client.ask("NOOP", "250");
  }
}
