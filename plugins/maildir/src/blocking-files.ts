import * as fs from "node:fs";
import type { Files, OpenFile } from "./files.ts";

// Every function here is async so that it fails as its like in node:fs/promises does: by rejecting

/** An open file whose calls block. */
class BlockingFile implements OpenFile {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  async write(octets: Uint8Array, offset?: number, length?: number, position?: number) {
    return { bytesWritten: fs.writeSync(this.#descriptor, octets, offset, length, position) };
  }

  async writev(pieces: readonly Uint8Array[], position?: number) {
    return { bytesWritten: fs.writevSync(this.#descriptor, pieces, position) };
  }

  async read(octets: Uint8Array, offset: number, length: number, position: number) {
    return { bytesRead: fs.readSync(this.#descriptor, octets, offset, length, position) };
  }

  async chmod(mode: number): Promise<void> {
    fs.fchmodSync(this.#descriptor, mode);
  }

  async stat(): Promise<fs.Stats> {
    return fs.fstatSync(this.#descriptor);
  }

  async sync(): Promise<void> {
    fs.fsyncSync(this.#descriptor);
  }

  async datasync(): Promise<void> {
    fs.fdatasyncSync(this.#descriptor);
  }

  async close(): Promise<void> {
    fs.closeSync(this.#descriptor);
  }
}

/** The same with calls that block: for a thread of its own, which is woken once for many of them. */
export const blockingFiles: Files = {
  access: async (path, mode) => fs.accessSync(path, mode),
  chmod: async (path, mode) => fs.chmodSync(path, mode),
  lstat: async (path) => fs.lstatSync(path),
  mkdir: async (path, options) => fs.mkdirSync(path, options),
  open: async (path, flags, mode) => new BlockingFile(fs.openSync(path, flags, mode)),
  opendir: async (path) => fs.readdirSync(path, { withFileTypes: true }),
  rename: async (from, to) => fs.renameSync(from, to),
  rmdir: async (path) => fs.rmdirSync(path),
  stat: async (path) => fs.statSync(path),
  unlink: async (path) => fs.unlinkSync(path),
  utimes: async (path, atime, mtime) => fs.utimesSync(path, atime, mtime),
};
