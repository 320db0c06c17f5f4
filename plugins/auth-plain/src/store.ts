import { createHmac, randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import type { Log } from "@mailhost/core";
import { type StoredHash, nobodysHash, parseHash } from "./hash.ts";
import { type Users, UsersFileError, readUsers } from "./users-file.ts";

/** The users of a file, as it stands on disk now. A broken file never takes the place of a good one. */
export class UserStore {
  readonly #path: string;
  readonly #log: Log;
  readonly #secret = randomBytes(32);
  #users: Users = new Map();
  #decoys: readonly StoredHash[] = [];
  #seen = "";
  /** A broken file is read once, not at every guess. */
  #broken: { readonly fingerprint: string; readonly error: UsersFileError } | undefined;
  #complained = "";
  #refreshing: Promise<UsersFileError | undefined> | undefined;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** Reads the file if it is another than before. Resolves to what is wrong with it; then the old users stay. */
  refresh(): Promise<UsersFileError | undefined> {
    this.#refreshing ??= this.#load().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  /** The newest users. A file that went wrong is logged once and the users before it stay. */
  async current(): Promise<this> {
    const error = await this.refresh();
    if (error === undefined) this.#complained = "";
    else if (this.#complained !== error.message) {
      this.#complained = error.message;
      this.#log.error(
        { users: this.#path },
        `password file not taken, the old users stay: ${error.message}. ${error.mend}`,
      );
    }
    return this;
  }

  has(username: string): boolean {
    return this.#users.has(username);
  }

  /**
   * Whether this is the user's password. For an unknown name a real hash is checked all the same, always the same one
   * for the same name: how long it takes tells nobody who exists.
   */
  async matches(username: string, password: string): Promise<boolean> {
    const known = this.#users.get(username);
    const matched = await (known ?? this.#decoyFor(username)).matches(password);
    return known !== undefined && matched;
  }

  #decoyFor(username: string): StoredHash {
    const number = createHmac("sha256", this.#secret).update(username).digest().readUInt32BE(0);
    const decoy = this.#decoys[number % this.#decoys.length];
    if (decoy === undefined) throw new Error("there is no hash to check");
    return decoy;
  }

  async #load(): Promise<UsersFileError | undefined> {
    // Taken before reading: what is written meanwhile makes another fingerprint
    const { fingerprint, mode } = await look(this.#path);
    if (fingerprint !== "" && fingerprint === this.#seen) return undefined;
    if (fingerprint !== "" && fingerprint === this.#broken?.fingerprint) return this.#broken.error;
    try {
      this.#take(await readUsers(this.#path));
    } catch (error) {
      if (!(error instanceof UsersFileError)) throw error;
      this.#broken = { fingerprint, error };
      return error;
    }
    this.#seen = fingerprint;
    this.#broken = undefined;
    if ((mode & 0o006) !== 0 && process.platform !== "win32")
      this.#log.warn(
        { users: this.#path },
        `password file ${this.#path} is open to other users of this machine: chmod o= ${this.#path}`,
      );
    return undefined;
  }

  #take(users: Users): void {
    this.#users = users;
    this.#decoys = users.size > 0 ? [...users.values()] : [parseHash(nobodysHash())].filter((one) => "matches" in one);
  }
}

async function look(path: string): Promise<{ fingerprint: string; mode: number }> {
  try {
    const { ino, size, mtimeNs, ctimeNs, mode } = await stat(path, { bigint: true });
    return { fingerprint: [ino, size, mtimeNs, ctimeNs].join(" "), mode: Number(mode) };
  } catch {
    return { fingerprint: "", mode: 0 }; // reading it will say why
  }
}
