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

  /** Nobody waits while there is room. */
  write(octets: Uint8Array): Promise<void> | undefined {
    const piece = octets.length <= this.#room ? octets : octets.subarray(0, this.#room);
    this.#add(piece);
    if (piece.length === octets.length) return undefined;
    return this.#flush().then(() => this.write(octets.subarray(piece.length)));
  }

  /** A CR that waits takes room as well. */
  get #room(): number {
    return Math.max(0, this.#block.length - this.#held - 1);
  }

  #add(piece: Uint8Array): void {
    if (this.#lineEnds !== undefined) this.#held = this.#lineEnds.into(this.#block, this.#held, piece);
    else {
      this.#block.set(piece, this.#held);
      this.#held += piece.length;
    }
  }

  /** Writes what is left. */
  end(): Promise<void> {
    if (this.#lineEnds !== undefined) this.#held = this.#lineEnds.end(this.#block, this.#held);
    return this.#flush();
  }

  /** Octets that the file has. */
  get octets(): number {
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
