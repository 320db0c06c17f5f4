import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { type Log, type Plugin, encodeBase64 } from "@mailhost/core";
import { type Verify, authPlain } from "@mailhost/plugin-auth-plain";
import { starttls } from "@mailhost/plugin-starttls";
import { onTestFinished } from "vitest";

export const quietLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** The reply to AUTH without an initial response ends with a blank (RFC 4954 §4). */
export const emptyChallenge = "334 ";

/** A PLAIN message (RFC 4616) in base64, its parts divided by NUL. */
export const plain = (...parts: readonly string[]): string => encodeBase64(new TextEncoder().encode(parts.join("\0")));

export const password = "tr0ub4dor";

/** Jane's message for AUTH PLAIN. */
export const janesLogin = plain("", "jane", password);

const isJane: Verify = (username, given) => username === "jane" && given === password;

/** AUTH PLAIN that knows jane, with no delay for failures. */
export const janesPassword = (more: { readonly allowInsecure?: boolean; readonly required?: boolean } = {}): Plugin =>
  authPlain({ verify: isJane, failureDelay: 0, ...more });

/** TLS without files. On the kit's wire in memory the handshake always succeeds. */
export const anyTls = (): Plugin => starttls({ selfSigned: true });

/** The lines EHLO is answered with, and the EHLO: for a transcript. */
export function ehlo(...extensions: readonly string[]): string {
  const keywords = ["PIPELINING", "SIZE *", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", ...extensions];
  const lines = ["mx.example.com greets *", ...keywords];
  const said = lines.map((line, index) => `S: 250${index === lines.length - 1 ? " " : "-"}${line}`);
  return ["C: EHLO client.test", ...said].join("\n");
}

/** An empty folder that is gone after the test. */
export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "mailhost-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Paths of all files below a folder, relative to it, sorted. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

/** Messages in `new` of a mailbox, one character per octet. */
export function stored(...mailbox: readonly string[]): string[] {
  const folder = join(...mailbox, "new");
  return readdirSync(folder).map((name) => readFileSync(join(folder, name), "latin1"));
}

/** A stream that keeps what was written. */
export class Memory extends Writable {
  text = "";

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString("utf8");
    done();
  }
}
