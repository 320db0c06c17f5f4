import * as fs from "node:fs";
import type { Files, OpenFile } from "./files.ts";

type Done<T> = (error: Error | null, value: T) => void;

/** A promise of what `begin` calls back with. */
const answer = <T>(begin: (done: Done<T>) => void): Promise<T> => answerAs(begin, (value) => value);

/** A promise of what `told` makes of it. */
const answerAs = <T, R>(begin: (done: Done<T>) => void, told: (value: T) => R): Promise<R> =>
  new Promise((resolve, reject) => begin((error, value) => (error === null ? resolve(told(value)) : reject(error))));

const written = (bytesWritten: number) => ({ bytesWritten });
const readOf = (bytesRead: number) => ({ bytesRead });

/** An open file by its number: a `FileHandle` of node:fs/promises costs as much as three of its calls. */
class NumberedFile implements OpenFile {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  write(octets: Uint8Array, offset?: number, length?: number, position?: number): Promise<{ bytesWritten: number }> {
    return answerAs((done) => fs.write(this.#descriptor, octets, offset, length, position, done), written);
  }

  writev(pieces: readonly Uint8Array[], position?: number): Promise<{ bytesWritten: number }> {
    return position === undefined
      ? answerAs((done) => fs.writev(this.#descriptor, pieces, done), written)
      : answerAs((done) => fs.writev(this.#descriptor, pieces, position, done), written);
  }

  read(octets: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }> {
    return answerAs((done) => fs.read(this.#descriptor, octets, offset, length, position, done), readOf);
  }

  chmod(mode: number): Promise<void> {
    return answer((done) => fs.fchmod(this.#descriptor, mode, done));
  }

  stat(): Promise<fs.Stats> {
    return answer((done) => fs.fstat(this.#descriptor, done));
  }

  sync(): Promise<void> {
    return answer((done) => fs.fsync(this.#descriptor, done));
  }

  datasync(): Promise<void> {
    return answer((done) => fs.fdatasync(this.#descriptor, done));
  }

  close(): Promise<void> {
    return answer((done) => fs.close(this.#descriptor, done));
  }
}

const numbered = (descriptor: number): OpenFile => new NumberedFile(descriptor);

/** `node:fs/promises` by way of the functions that call back: a call costs the thread that waits for it half as much. */
export const calledFiles: Files = {
  access: (path, mode) => answer((done) => fs.access(path, mode, done)),
  chmod: (path, mode) => answer((done) => fs.chmod(path, mode, done)),
  lstat: (path) => answer((done) => fs.lstat(path, done)),
  mkdir: (path, options) => answer<string | undefined>((done) => fs.mkdir(path, options, done)),
  open: (path, flags, mode) => answerAs((done) => fs.open(path, flags, mode, done), numbered),
  opendir: (path) => answer<fs.Dir>((done) => fs.opendir(path, done)),
  rename: (from, to) => answer((done) => fs.rename(from, to, done)),
  rmdir: (path) => answer((done) => fs.rmdir(path, done)),
  stat: (path) => answer((done) => fs.stat(path, done)),
  unlink: (path) => answer((done) => fs.unlink(path, done)),
  utimes: (path, atime, mtime) => answer((done) => fs.utimes(path, atime, mtime, done)),
};
