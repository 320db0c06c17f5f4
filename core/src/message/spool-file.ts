import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";

/** An open file without a name, so that a crash leaves nothing. */
export class SpoolFile {
  readonly openedAt: number;
  readonly #handle: FileHandle;
  #length = 0;
  #failed = false;

  private constructor(handle: FileHandle, openedAt: number) {
    this.#handle = handle;
    this.openedAt = openedAt;
  }

  /** Rejects with the file system's error, and leaves nothing. */
  static async open(folder: string, now: number): Promise<SpoolFile> {
    const path = join(folder, `mailhost-${randomUUID()}`);
    let handle: FileHandle | undefined;
    try {
      handle = await open(path, "wx+", 0o600);
      await unlink(path);
      return new SpoolFile(handle, now);
    } catch (error) {
      await handle?.close().catch(() => {});
      await unlink(path).catch(() => {}); // it may be there although its making failed, and the name is nobody else's
      throw error;
    }
  }

  /** Octets it takes on the disk: the most that anybody wrote. */
  get length(): number {
    return this.#length;
  }

  /** The file system said no, and what it says next proves nothing. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Gives how many octets there were. */
  write(chunks: readonly Uint8Array[], position: number): Promise<number> {
    return this.#try(async () => {
      let left = chunks;
      let at = 0;
      while (left.length > 0) {
        const { bytesWritten } = await this.#handle.writev(left, position + at);
        if (bytesWritten === 0) throw new Error("the spool file takes no more"); // or this would go on for ever
        at += bytesWritten;
        left = behind(left, bytesWritten);
      }
      this.#length = Math.max(this.#length, position + at);
      return at;
    });
  }

  /** Fills the buffer as far as it can, and gives what it filled: at least one octet. */
  read(buffer: Uint8Array, position: number): Promise<Uint8Array> {
    return this.#try(async () => {
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) throw new Error("the spool file is shorter than what was written to it");
      return buffer.subarray(0, bytesRead);
    });
  }

  async #try<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  /** It has no name: what cannot be closed cannot be lost either, and changes no answer. */
  close(): Promise<void> {
    return this.#handle.close().catch(() => {});
  }
}

/** What is left of the chunks when so many octets of them are done. */
function behind(chunks: readonly Uint8Array[], octets: number): Uint8Array[] {
  let done = octets;
  return chunks.flatMap((chunk) => {
    const its = Math.min(done, chunk.length);
    done -= its;
    return its === chunk.length ? [] : [chunk.subarray(its)];
  });
}
