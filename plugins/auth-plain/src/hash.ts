import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { compareBcrypt } from "./bcrypt.ts";

export type Scheme = "scrypt" | "bcrypt" | "argon2id";

/** A stored password: never the password, and never shown. */
export interface StoredHash {
  readonly scheme: Scheme;
  matches(password: string): Promise<boolean>;
}

/** RFC 7914 §2: N = 2^ln, r, p. Memory is 128 · N · r octets. */
export interface ScryptCost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/** 32 MiB and some 0.2 s: of the settings OWASP holds equal, the one that needs least memory. */
const defaultCost: ScryptCost = { ln: 15, r: 8, p: 3 };

/** What one check may take: a hash in the file must not be able to stop the server. */
const mostMemory = 256 * 1024 * 1024;
const mostRounds = 16;
const mostBcryptRounds = 16;

const saltOctets = 16;
const keyOctets = 32;

const base64 = "[A-Za-z0-9+/]";
const scryptPattern = new RegExp(
  `^\\$scrypt\\$ln=(\\d{1,2}),r=(\\d{1,3}),p=(\\d{1,3})\\$(${base64}{11,86})\\$(${base64}{22,86})$`,
);
const argon2Pattern = new RegExp(
  `^\\$argon2id\\$v=(?:16|19)\\$m=(\\d{1,8}),t=(\\d{1,3}),p=(\\d{1,3})\\$${base64}{11,86}\\$${base64}{16,86}$`,
);
const bcryptPattern = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;

/** Reads a hash, or says what is wrong with it; never with the hash itself. */
export function parseHash(text: string): StoredHash | { readonly fault: string } {
  const known = parseScrypt(text) ?? parseArgon2(text) ?? parseBcrypt(text);
  return known ?? { fault: "the hash is none of scrypt, bcrypt and argon2id, or damaged" };
}

const tooCostly = { fault: "the hash costs too much memory or time to check" };

function parseScrypt(text: string): StoredHash | { fault: string } | undefined {
  const matched = scryptPattern.exec(text);
  if (matched === null) return undefined;
  const [, ln, r, p, salt = "", key = ""] = matched;
  const cost: ScryptCost = { ln: Number(ln), r: Number(r), p: Number(p) };
  if (!sane(cost)) return tooCostly;
  const expected = Buffer.from(key, "base64");
  const salted = Buffer.from(salt, "base64");
  return {
    scheme: "scrypt",
    matches: async (password) => timingSafeEqual(await derive(password, salted, expected.length, cost), expected),
  };
}

const sane = ({ ln, r, p }: ScryptCost): boolean =>
  ln >= 1 && r >= 1 && p >= 1 && p <= mostRounds && 128 * 2 ** ln * r <= mostMemory;

function parseArgon2(text: string): StoredHash | { fault: string } | undefined {
  const matched = argon2Pattern.exec(text);
  if (matched === null) return undefined;
  const [memory, rounds, lanes] = matched.slice(1).map(Number);
  if (memory === undefined || rounds === undefined || lanes === undefined) return undefined;
  if (memory * 1024 > mostMemory || rounds > mostRounds || lanes > mostRounds || rounds * lanes === 0) return tooCostly;
  return {
    scheme: "argon2id",
    // A native module: loaded by those who need it
    matches: async (password) => (await import("@node-rs/argon2")).verify(text, password),
  };
}

function parseBcrypt(text: string): StoredHash | { fault: string } | undefined {
  const rounds = bcryptPattern.exec(text)?.[1];
  if (rounds === undefined) return undefined;
  if (Number(rounds) < 4 || Number(rounds) > mostBcryptRounds) return tooCostly;
  return { scheme: "bcrypt", matches: (password) => compareBcrypt(password, text) };
}

/** Hashes a password with a new salt: `$scrypt$ln=15,r=8,p=3$salt$key`, base64 without padding. */
export async function hashPassword(password: string, cost: ScryptCost = defaultCost): Promise<string> {
  const salt = randomBytes(saltOctets);
  return formatScrypt(cost, salt, await derive(password, salt, keyOctets, cost));
}

/** Checked in place of an unknown user's hash where there is no other: as costly as a real one, and nobody's. */
export const nobodysHash = (): string => formatScrypt(defaultCost, randomBytes(saltOctets), randomBytes(keyOctets));

const formatScrypt = ({ ln, r, p }: ScryptCost, salt: Buffer, key: Buffer): string =>
  `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(key)}`;

const unpadded = (octets: Buffer): string => octets.toString("base64").replace(/=+$/, "");

const scryptAsync = promisify<string, Buffer, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(
  scrypt,
);

const derive = (password: string, salt: Buffer, octets: number, { ln, r, p }: ScryptCost): Promise<Buffer> =>
  scryptAsync(password, salt, octets, { N: 2 ** ln, r, p, maxmem: 2 * 128 * 2 ** ln * r + 1024 * 1024 });
