import { ConfigurationError, type Host, describeError, errorCode } from "@mailhost/core";
import { access, constants, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Memory } from "./memory.ts";

/** Milliseconds. Who is forgotten in a crash waits once more, so that no reply has to wait for the disk. */
const saveEvery = 60_000;

/** A memory and the file it is kept in: written every minute when something was learnt, and by `close`. */
export class Store {
  readonly memory = new Memory();
  readonly #file: string;
  readonly #host: Pick<Host, "clock" | "log">;
  #saved = 0;
  #closed = false;
  #cancel: () => void = () => {};
  #saving: Promise<void> = Promise.resolve();

  private constructor(file: string, host: Pick<Host, "clock" | "log">) {
    this.#file = file;
    this.#host = host;
    this.#later();
  }

  /** Rejects with a ConfigurationError when the file cannot be read or written, or is none of ours. */
  static async open(file: string, host: Pick<Host, "clock" | "log">): Promise<Store> {
    const lines = await readLines(file);
    await access(dirname(file), constants.W_OK).catch((error: unknown) => {
      throw broken(`${file} cannot be written: ${describeError(error)}`, "Make its folder, for the server to write.");
    });
    const store = new Store(file, host);
    for (const [kind, time, key] of lines) store.memory[kind].set(key, time);
    return store;
  }

  #later(): void {
    if (this.#closed) return;
    this.#cancel = this.#host.clock.after(saveEvery, () => {
      void this.#save().then(() => this.#later());
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#saving;
    await this.#save();
  }

  /** A disk that is full must stop no mail: it is said, and tried again. */
  #save(): Promise<void> {
    const { changes } = this.memory;
    if (changes === this.#saved) return Promise.resolve();
    this.#saving = write(this.#file, this.memory).then(
      () => void (this.#saved = changes),
      (error: unknown) =>
        this.#host.log.warn({ err: error, file: this.#file }, `${this.#file} not written: ${describeError(error)}`),
    );
    return this.#saving;
  }
}

/** Whole or not at all: beside the file first, then in its place. */
async function write(file: string, memory: Memory): Promise<void> {
  const beside = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(beside, linesOf(memory), { mode: 0o600, flush: true });
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** In pieces, so that no session waits while a hundred thousand lines are made. */
function* linesOf({ waiting, known }: Memory): Generator<string> {
  for (const [kind, times] of Object.entries({ waiting, known })) {
    let piece = "";
    for (const [key, time] of times) {
      piece += `${kind} ${time} ${key}\n`;
      if (piece.length < 65_536) continue;
      yield piece;
      piece = "";
    }
    yield piece;
  }
}

type Line = [kind: "waiting" | "known", time: number, key: string];

const linePattern = /^(waiting|known) (\d{1,15}) ([\w-]{43})$/;

async function readLines(file: string): Promise<Line[]> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return "";
    throw broken(`${file} cannot be read: ${describeError(error)}`, "Let the user that runs the server read it.");
  });
  const lines = text.split("\n");
  if (lines.pop() !== "") throw notOurs(file, lines.length + 1);
  return lines.map((line, index) => {
    const [, kind, time = "", key = ""] = linePattern.exec(line) ?? [];
    if (kind === "waiting" || kind === "known") return [kind, Number(time), key];
    throw notOurs(file, index + 1);
  });
}

const notOurs = (file: string, line: number): ConfigurationError =>
  broken(`line ${line} of ${file} was not written by greylist`, "Name another file, or remove it: all wait once more.");

const broken = (what: string, mend: string): ConfigurationError =>
  new ConfigurationError([{ code: "BAD_FILE", where: "options.file", what, mend }]);
