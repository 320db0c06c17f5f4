import { latin1 } from "./latin1.ts";
import type { Engine, TlsInfo, Upgrade, Wire } from "@mailhost/core";

/** A wire in memory: collects what the server says. TLS always succeeds, and octets stay in clear. */
export class MemoryWire implements Wire {
  /** Complete lines the server sent, without CRLF. */
  readonly lines: string[] = [];
  /** Every write, as text: one entry per write. */
  readonly writes: string[] = [];
  ended = false;
  /** The client hung up. */
  left = false;
  /** The server reads no more for now. */
  paused = false;
  #reads = true;
  #rest = "";
  #engine: Engine | undefined;
  #changed: (() => void)[] = [];

  attach(engine: Engine): void {
    this.#engine = engine;
  }

  /** What `write` answers: false plays a client that does not read, true again one that has caught up. */
  get reads(): boolean {
    return this.#reads;
  }

  set reads(reads: boolean) {
    const again = reads && !this.#reads;
    this.#reads = reads;
    if (again) this.#engine?.drained();
  }

  write(octets: Uint8Array): boolean {
    const text = latin1(octets);
    this.writes.push(text);
    const lines = (this.#rest + text).split("\r\n");
    this.#rest = lines.pop() ?? "";
    this.lines.push(...lines);
    this.#wake();
    return this.#reads;
  }

  end(): void {
    this.ended = true;
    this.#wake();
  }

  pause(): void {
    this.paused = true;
    this.#wake();
  }

  resume(): void {
    this.paused = false;
    this.#wake();
  }

  upgrade(_upgrade: Upgrade): void {
    const tls: TlsInfo = { protocol: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" };
    queueMicrotask(() => this.#engine?.secured(tls));
  }

  /** The client is gone without a word. */
  hangUp(reason: string): void {
    this.left = true;
    this.#engine?.gone(reason);
    this.#wake();
  }

  /** Resolves when something was written, the server paused, read on or closed, or after `milliseconds`. */
  changed(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#changed.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #wake(): void {
    const waiting = this.#changed;
    this.#changed = [];
    for (const wake of waiting) wake();
  }
}
