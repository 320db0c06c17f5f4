import type { OpenFile } from "./files.ts";
import type { LineEnds } from "./line-ends.ts";

/** Gathers pieces in a block and writes it whenever it is full: a client may send octet by octet. */
export class BlockWriter {
  readonly #file: OpenFile;
  readonly #block: Uint8Array;
  readonly #lineEnds: LineEnds | undefined;
  #held = 0;
  #written = 0;

  /** The block is its own until `end` settles. */
  constructor(file: OpenFile, block: Uint8Array, lineEnds?: LineEnds) {
    this.#file = file;
    this.#block = block;
    this.#lineEnds = lineEnds;
  }

  async write(octets: Uint8Array): Promise<void> {
    for (let at = 0; at < octets.length;) {
      if (this.#room <= 0) await this.#flush();
      const piece = octets.subarray(at, at + this.#room);
      this.#add(piece);
      at += piece.length;
    }
  }

  /** A CR that waits takes room as well. */
  get #room(): number {
    return this.#block.length - this.#held - 1;
  }

  #add(piece: Uint8Array): void {
    if (this.#lineEnds !== undefined) this.#held = this.#lineEnds.into(this.#block, this.#held, piece);
    else {
      this.#block.set(piece, this.#held);
      this.#held += piece.length;
    }
  }

  /** Writes what is left. Gives how many octets there were. */
  async end(): Promise<number> {
    const last = this.#lineEnds?.end();
    if (last !== undefined) {
      this.#block.set(last, this.#held);
      this.#held += last.length;
    }
    await this.#flush();
    return this.#written;
  }

  async #flush(): Promise<void> {
    const octets = this.#block.subarray(0, this.#held);
    for (let at = 0; at < octets.length;) {
      const { bytesWritten } = await this.#file.write(octets, at);
      if (bytesWritten === 0) throw new Error("the file takes no more"); // or this would go on for ever
      at += bytesWritten;
    }
    this.#written += this.#held;
    this.#held = 0;
  }
}
