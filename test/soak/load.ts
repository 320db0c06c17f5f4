import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionOptions } from "node:tls";
import { random } from "../../core/test/laws/form.ts";
import { RawClient } from "../kill/client.ts";
import type { Ledger } from "../kill/ledger.ts";
import { password } from "./server.ts";

interface Ports {
  readonly transfer: number;
  readonly submission: number;
  readonly submissions: number;
}

const plain = Buffer.from(`\0jane\0${password}`).toString("base64");

/** Clients of every kind at work, good ones that mind every answer and bad ones. */
export class Load {
  readonly problems: string[] = [];
  readonly seen = new Set<string>();
  readonly counts = { sessions: 0, secured: 0, octets: 0, left: 0, bad: 0 };
  readonly #ports: Ports;
  readonly #ledger: Ledger;
  readonly #tls: ConnectionOptions;
  readonly #pick: (below: number) => number;
  #until = 0;

  constructor(ports: Ports, ledger: Ledger, trusted: readonly string[], seed: number) {
    this.#ports = ports;
    this.#ledger = ledger;
    // A certificate that is not one of ours, or a key that does not belong to it, ends the handshake
    this.#tls = { ca: [...trusted], servername: "localhost" };
    this.#pick = random(seed);
  }

  /** Works so many seconds, and resolves when the last client has left. */
  async run(seconds: number): Promise<void> {
    this.#until = performance.now() + seconds * 1000;
    const { transfer, submission, submissions } = this.#ports;
    const some = (count: number, session: () => Promise<void>, pause: number): Promise<void>[] =>
      Array.from({ length: count }, () => this.#again(session, pause));
    await Promise.all([
      ...some(4, () => this.#transfer(transfer, false), 30),
      ...some(3, () => this.#transfer(transfer, true), 60),
      ...some(3, () => this.#submit(new RawClient(submission), true), 100),
      ...some(2, () => this.#submit(new RawClient(submissions, this.#tls), false), 100),
      ...some(1, () => this.#big(submissions), 2000),
      ...some(3, () => this.#leave(this.#pick(5)), 100),
      ...some(3, () => this.#misbehave(this.#pick(7)), 200),
    ]);
  }

  async #again(session: () => Promise<void>, pause: number): Promise<void> {
    while (performance.now() < this.#until && this.problems.length < 20) {
      await session().catch((error: unknown) => this.problems.push(`${new Date().toISOString()} ${String(error)}`));
      this.counts.sessions += 1;
      await sleep(this.#pick(2 * pause));
    }
  }

  // -- who minds every answer --------------------------------------------------------------------

  async #transfer(port: number, secure: boolean): Promise<void> {
    const client = new RawClient(port);
    this.#must(client, await client.greet());
    if (secure) await this.#secure(client);
    await this.#deliver(client, 1 + this.#pick(8));
  }

  async #submit(client: RawClient, secure: boolean): Promise<void> {
    this.#must(client, await client.greet());
    if (secure) await this.#secure(client);
    else this.#note(client);
    this.#must(client, await client.ask(`AUTH PLAIN ${plain}`, "235"));
    await this.#deliver(client, 1 + this.#pick(3));
  }

  async #big(port: number): Promise<void> {
    const client = new RawClient(port, this.#tls);
    this.#must(client, (await client.greet()) && (await client.ask(`AUTH PLAIN ${plain}`, "235")));
    await this.#deliver(client, 1, 50_000 + this.#pick(200_000));
  }

  async #secure(client: RawClient): Promise<void> {
    this.#must(client, await client.secure(this.#tls));
    this.#note(client);
  }

  #note(client: RawClient): void {
    this.counts.secured += 1;
    this.seen.add(client.certificate);
  }

  async #deliver(client: RawClient, letters: number, lines?: number): Promise<void> {
    for (let count = 0; count < letters; count += 1) {
      const letter = this.#ledger.take(lines);
      const manner = { pipelined: this.#pick(2) === 0, sends: () => this.#ledger.sends(letter) };
      this.#must(client, await client.deliver(letter.recipients, letter.text, manner));
      this.#ledger.acknowledge(letter);
      this.counts.octets += letter.text.length;
      await sleep(this.#pick(10));
    }
    await client.quit();
  }

  #must({ trouble }: RawClient, there: boolean): void {
    if (!there) throw new Error(`the server is gone: ${trouble}`);
  }

  // -- who does not ------------------------------------------------------------------------------

  /** Leaves in the middle: nothing of it may be stored. */
  async #leave(how: number): Promise<void> {
    const tls = how === 4;
    const client = new RawClient(tls ? this.#ports.submissions : this.#ports.transfer, tls ? this.#tls : undefined);
    this.counts.left += 1;
    if (how < 4) await client.greet();
    if (how === 1) client.say("MAIL FROM:<sender@example.com>\r\nRCPT TO:<u0@0.exam");
    if (how >= 2 && how < 4) {
      client.say("MAIL FROM:<sender@example.com>\r\nRCPT TO:<u0@0.example.com>\r\nDATA");
      for (const code of ["250", "250", "354"]) await client.hears(code);
      client.say(`Message-ID: <left@client.test>\r\n\r\n${"half a message\r\n".repeat(1 + this.#pick(40_000))}`);
    }
    await sleep(this.#pick(20));
    if (how === 3) client.socket.resetAndDestroy();
    client.leave();
  }

  /** Ends by what the server says to it. */
  async #misbehave(how: number): Promise<void> {
    this.counts.bad += 1;
    if (how === 0) return this.#wrong(new RawClient(this.#ports.submissions, this.#tls));
    const client = new RawClient(how === 6 ? this.#ports.submissions : this.#ports.transfer);
    if (how === 1) client.say("GET / HTTP/1.1\r\nHost: x\r\n");
    if (how === 2) client.socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3]));
    if (how === 3) for (let line = 0; line < 20; line += 1) client.say(`XYZZY ${line}`);
    if (how === 4) client.say("x".repeat(1_000_000));
    if (how === 5) client.say(`EHLO client.test\r\n${"RCPT TO:<u0@0.example.com>\r\n".repeat(50)}`);
    if (how === 6) client.say("EHLO client.test"); // in clear, where TLS is due
    if (how === 4) client.say("QUIT");
    while ((await client.reply()) !== "");
    client.leave();
  }

  async #wrong(client: RawClient): Promise<void> {
    const guess = Buffer.from("\0jane\0guess").toString("base64");
    if (await client.greet()) for (let count = 0; count < 3; count += 1) client.say(`AUTH PLAIN ${guess}`);
    while ((await client.reply()) !== "");
    client.leave();
  }
}
