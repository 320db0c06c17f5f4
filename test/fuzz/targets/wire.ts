import type { Engine, Mailhost, TlsInfo, Wire } from "@mailhost/core";
import { octetsOf, textOf } from "../input.ts";
import type { Stopwatch } from "../target.ts";

const tls: TlsInfo = { protocol: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" };
const peer = { client: { address: "192.0.2.1", port: 40_000 }, local: { address: "192.0.2.25", port: 25 } };
/** What one read of a socket gives at most. */
const readOctets = 65_536;

/** A client's end of a dialogue in memory: as a socket it hands over nothing while the server has paused it. */
export class FuzzWire implements Wire {
  readonly engine: Engine;
  /** Everything the server said. */
  said = "";
  /** Everything the server was given. */
  sent = "";
  ended = false;
  /** The server knows of no more. */
  over = false;
  /** Milliseconds of the longest call into the server, or turn of the event loop. */
  longest = 0;
  /** What the server must not do, and did. */
  problem: string | undefined;
  /** The client does not read. */
  deaf = false;
  /** The client went on in clear behind STARTTLS. */
  #injected = false;
  readonly #watch: Stopwatch;
  #shakesHands = false;
  #paused = false;
  #waiting: string[] = [];

  constructor(server: Mailhost, watch: Stopwatch) {
    this.#watch = watch;
    this.engine = server.dialogue(this, { peer, over: () => (this.over = true) });
    this.call(() => this.engine.start());
  }

  call(step: () => void): void {
    const took = this.#watch();
    step();
    this.longest = Math.max(this.longest, took());
  }

  send(text: string): void {
    for (let at = 0; at < text.length; at += readOctets) this.#waiting.push(text.slice(at, at + readOctets));
    this.#deliver();
  }

  #deliver(): void {
    while (!this.#paused && !this.ended) {
      const piece = this.#waiting.shift();
      if (piece === undefined) return;
      this.sent += piece;
      if (this.#shakesHands) this.#injected = true;
      const lent = octetsOf(piece);
      this.call(() => this.engine.receive(lent));
      lent.fill(0x58); // lent for the call
    }
  }

  /** One turn of the event loop. */
  async turn(): Promise<void> {
    const took = this.#watch();
    await new Promise((resolve) => setImmediate(resolve));
    this.longest = Math.max(this.longest, took());
    this.#deliver();
  }

  /** Until nothing is said any more and nothing waits. */
  async settle(): Promise<void> {
    for (let quiet = 0, most = 5000; quiet < 4 && most > 0; most -= 1) {
      const { said, sent } = this;
      await this.turn();
      quiet = said === this.said && sent === this.sent && (!this.#paused || this.deaf || this.ended) ? quiet + 1 : 0;
    }
  }

  hears(): void {
    this.deaf = false;
    this.call(() => this.engine.drained());
  }

  // -- the server's end ---------------------------------------------------------------------------

  write(octets: Uint8Array): boolean {
    if (this.ended) this.problem = "the server writes on a wire it has ended";
    this.said += textOf(octets);
    if (this.#injected) this.problem = "octets in clear behind STARTTLS are answered (CVE-2011-0411)";
    return !this.deaf;
  }
  end(): void {
    this.ended = true;
  }
  pause(): void {
    this.#paused = true;
  }
  resume(): void {
    this.#paused = false;
  }
  upgrade(): void {
    this.#shakesHands = true;
    queueMicrotask(() => {
      this.#shakesHands = false;
      this.call(() => this.engine.secured(tls));
    });
  }
}
