import type { OpenFile } from "./files.ts";

const mostBlockOctets = 64 * 1024;

/** Gathers small pieces and writes them in blocks: a client may send octet by octet. */
export class BlockWriter {
  readonly #file: OpenFile;
  readonly #block: Uint8Array;
  #held = 0;
  /** Octets taken so far. */
  octets = 0;

  /** `expected` octets will come, more or less. */
  constructor(file: OpenFile, expected: number) {
    this.#file = file;
    this.#block = Buffer.allocUnsafe(Math.min(expected, mostBlockOctets));
  }

  async write(octets: Uint8Array): Promise<void> {
    this.octets += octets.length;
    if (this.#held + octets.length > this.#block.length) await this.flush();
    if (octets.length >= this.#block.length) return this.#writeOut(octets);
    this.#block.set(octets, this.#held);
    this.#held += octets.length;
  }

  async flush(): Promise<void> {
    const held = this.#held;
    this.#held = 0;
    await this.#writeOut(this.#block.subarray(0, held));
  }

  async #writeOut(octets: Uint8Array): Promise<void> {
    for (let at = 0; at < octets.length;) {
      const { bytesWritten } = await this.#file.write(octets, at);
      if (bytesWritten === 0) throw new Error("the file takes no more"); // or this would go on for ever
      at += bytesWritten;
    }
  }
}
