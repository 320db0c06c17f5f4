import { asciiLower, encodeUtf8, joinOctets } from "../protocol/octets.ts";
import type { Field } from "./header.ts";
import { type BodyTransform, writeTransformed } from "./rewrite.ts";
import { type Soon, soon } from "../protocol/soon.ts";
import type { Spool } from "./spool.ts";

/** How a message is read. */
export interface OpenOptions {
  /**
   * A piece is yours until you ask for the next, whose octets may come into the same memory: write it, or copy it, before
   * that. Without, each piece of a large message is memory of its own, which the collector has to find and give back.
   */
  readonly reuse?: boolean;
}

/** A received message: CRLF line ends, dots unstuffed. Reading is possible any number of times. */
export interface StoredMessage {
  /** Octets that `open` will give. */
  readonly octets: number;
  /** The header fields from the top, folding kept: trace, plugins' fields, the sender's. */
  readonly fields: readonly Field[];
  /** The whole message in pieces, which are yours. Stop reading whenever you like: `break`, or `return()` where you step by hand. */
  open(options?: OpenOptions): AsyncIterable<Uint8Array>;
  /** The whole message at once: mind its size. */
  bytes(): Promise<Uint8Array>;
}

/** Names of fields are compared without case (RFC 5322 §1.2.2). */
export const sameName = (one: string, other: string): boolean => asciiLower(one) === asciiLower(other);

const fieldNamePattern = /^[\x21-\x39\x3b-\x7e]+$/;
// oxlint-disable-next-line no-control-regex -- control octets are what must not pass
const foldedValue = /^(?:[^\x00-\x08\x0a-\x1f\x7f]|\r\n[ \t])*$/;

/**
 * A field to be added. The value may be folded (CRLF and a blank) and holds no other line end.
 * Throws a TypeError on anything that would make a second field of it.
 */
export function makeField(name: string, value: string): Field {
  if (!fieldNamePattern.test(name)) throw new TypeError(`${JSON.stringify(name)} is not a field name`);
  if (!foldedValue.test(value)) throw new TypeError(`the value of ${name} holds a line end or a control octet`);
  return Object.freeze({ name, raw: encodeUtf8(`${name}: ${value}\r\n`) });
}

const crlf = encodeUtf8("\r\n");

/** Content as received, with the edits of plugins on top of it. */
export class Message implements StoredMessage {
  /** Fields on top of what was received, topmost first. */
  #added: Field[] = [];
  /** Core's own, between those and what was received. No plugin takes it away. */
  #trace: Field | undefined;
  #makeTrace: (() => Field) | undefined;
  #original: readonly Field[];
  readonly #received: readonly Field[];
  readonly #headerOctets: number;
  readonly #spool: Spool;
  readonly #separated: boolean;
  /** What stands in place of the received body. */
  #body: Spool | undefined;

  /** `separated`: the empty line stands behind the header section. */
  constructor(spool: Spool, fields: readonly Field[], originalHeaderOctets: number, separated: boolean) {
    this.#spool = spool;
    this.#separated = separated;
    this.#received = fields;
    this.#original = fields;
    this.#headerOctets = originalHeaderOctets;
  }

  get fields(): readonly Field[] {
    return [...this.#added, ...this.#stamped, ...this.#original];
  }

  get octets(): number {
    const rest = this.#body?.octets ?? this.#spool.octets - this.#bodyStart;
    return joinOctets(this.#head()).length + rest;
  }

  /** The trace field (RFC 5321 §4.4): where a message came from stays with it. Made when somebody looks. */
  stamp(make: () => Field): void {
    this.#makeTrace = make;
  }

  get #stamped(): readonly Field[] {
    if (this.#makeTrace === undefined) return [];
    this.#trace ??= this.#makeTrace();
    return [this.#trace];
  }

  /** On top of everything there is. */
  add(field: Field): void {
    this.#added.unshift(field);
  }

  /** Removes every field of that name that the sender or a plugin wrote. Returns how many there were. */
  remove(name: string): number {
    const before = this.#added.length + this.#original.length;
    this.#added = this.#added.filter((field) => !sameName(field.name, name));
    if (this.#original.some((field) => sameName(field.name, name)))
      this.#original = this.#original.filter((field) => !sameName(field.name, name));
    return before - this.#added.length - this.#original.length;
  }

  /** Puts the field where the first of its name stood and drops the others; on top when there was none. */
  replace(field: Field): void {
    const added = this.#added.findIndex((one) => sameName(one.name, field.name));
    const original = this.#original.findIndex((one) => sameName(one.name, field.name));
    this.remove(field.name);
    if (added >= 0) this.#added.splice(added, 0, field);
    else if (original >= 0)
      this.#original = [...this.#original.slice(0, original), field, ...this.#original.slice(original)];
    else this.add(field);
  }

  /** The body as it stands, without the empty line before it. */
  openBody(): AsyncGenerator<Uint8Array> {
    return this.#body?.read() ?? this.#spool.read(this.#headerOctets + (this.#separated ? crlf.length : 0));
  }

  /**
   * What a transform makes of a body, kept aside: `putBody` puts it in place, or dispose of it.
   * `mayGoOn` throws when nobody wants it any more. Rejects with what the transform or the file system said no with.
   */
  async transformBody(transform: BodyTransform, body: AsyncIterable<Uint8Array>, mayGoOn: () => void): Promise<Spool> {
    const written = this.#spool.another();
    try {
      await writeTransformed(transform(body), written, mayGoOn);
      return written;
    } catch (error) {
      await written.dispose();
      throw error;
    }
  }

  putBody(body: Spool): void {
    void this.#body?.dispose();
    this.#body = body;
  }

  /** Untouched: the received octets stand for themselves, byte for byte. */
  get #touched(): boolean {
    return this.#original !== this.#received || this.#body !== undefined;
  }

  get #bodyStart(): number {
    return this.#touched ? this.#headerOctets : 0;
  }

  #head(): Uint8Array[] {
    const head = [...this.#added, ...this.#stamped].map((field) => field.raw);
    if (this.#touched) head.push(...this.#original.map((field) => field.raw));
    if (this.#body !== undefined) head.push(crlf);
    // Text that is no header must not join the fields above it
    else if (head.length > 0 && !this.#separated && (this.#touched || this.#received.length === 0)) head.push(crlf);
    return head;
  }

  open({ reuse = false }: OpenOptions = {}): AsyncGenerator<Uint8Array> {
    // A reader may change what it gets
    const reading = { reuse, above: joinOctets(this.#head()).slice() };
    return this.#body?.read(0, reading) ?? this.#spool.read(this.#bodyStart, reading);
  }

  async bytes(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.open()) chunks.push(chunk);
    return joinOctets(chunks);
  }

  /** Frees memory and file. Readings under way finish first. */
  dispose(): Soon<void> {
    const received = this.#spool.dispose();
    const rewritten = this.#body?.dispose();
    return soon(received, () => rewritten);
  }
}
