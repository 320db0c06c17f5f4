import type { Field } from "../message/header.ts";
import { type Message, type OpenOptions, type StoredMessage, makeField, sameName } from "../message/message.ts";
import type { BodyTransform } from "../message/rewrite.ts";
import type { Spool } from "../message/spool.ts";
import { asciiLower } from "../protocol/octets.ts";
import type { Edit } from "./edit.ts";
import { Handle, type Lender } from "./handle.ts";
import { Heeded } from "./heeded.ts";

/** The received message as `data` taps see it, with the methods that change it. Later taps see the result. */
export interface MessageView extends StoredMessage {
  /** Adds a field on top. Throws a TypeError on a name or value that is no field. Lines of more than 998 octets (RFC 5322 §2.1.1) are its author's to fold. */
  addField(name: string, value: string): void;
  /** Removes every field of that name; but core's own Received stays. */
  removeField(name: string): void;
  /** Puts one field in place of all of that name; on top when there was none. */
  replaceField(name: string, value: string): void;
  /**
   * Puts what `transform` makes of the body in its place: everything behind the empty line, in pieces of any size, CRLF
   * line ends in and out (a missing last one is added). Streamed, so memory stays bounded; read by several, each piece
   * once. Wait for it in a tapPromise. Rejects with what the transform threw, with a TypeError on other line ends,
   * and with the file system's error.
   */
  rewriteBody(transform: BodyTransform): Promise<void>;
}

/** A field as plugins get it: what they write into its octets changes no message. */
const lent = ({ name, raw }: Field): Field =>
  Object.freeze({
    name,
    get raw() {
      return raw.slice();
    },
  });

/** The message as it is delivered: to be read, and nothing else, in plain JavaScript too. */
export class ReadOnlyMessage implements StoredMessage {
  readonly #message: StoredMessage;

  static {
    Object.freeze(this.prototype);
  }

  constructor(message: StoredMessage) {
    this.#message = message;
    Object.freeze(this);
  }

  get octets(): number {
    return this.#message.octets;
  }
  get fields(): readonly Field[] {
    return this.#message.fields.map(lent);
  }
  open(options?: OpenOptions): AsyncIterable<Uint8Array> {
    return this.#message.open(options);
  }
  bytes(): Promise<Uint8Array> {
    return this.#message.bytes();
  }
}

/** Fields by name, and the body: which plugins edited them. */
class Touches {
  readonly #plugins = new Map<string, string[]>();

  by(what: string): readonly string[] {
    return this.#plugins.get(what) ?? [];
  }

  note(what: string, plugin: string): void {
    const before = this.#plugins.get(what);
    if (before === undefined) this.#plugins.set(what, [plugin]);
    else if (!before.includes(plugin)) before.push(plugin);
  }
}

const body = " body"; // no field is named so
const touched = (edit: FieldEdit | BodyEdit): string => (edit.kind === "rewrite" ? body : asciiLower(edit.field));

export class MessageCase implements Lender<MessageHandle> {
  readonly message: Message;
  readonly touches = new Touches();
  readonly shared: MessageHandle;

  constructor(message: Message) {
    this.message = message;
    this.shared = new MessageHandle(this);
  }

  fresh(): MessageHandle {
    return new MessageHandle(this);
  }
}

interface FieldEdit {
  readonly kind: "add" | "replace" | "remove";
  readonly field: string;
  readonly apply: (message: Message) => void;
}

interface BodyEdit {
  readonly kind: "rewrite";
  readonly body: Spool;
}

class MessageHandle extends Handle implements MessageView {
  readonly #case: MessageCase;
  #edits: (FieldEdit | BodyEdit)[] = [];
  /** The rewriting that is not over yet. */
  #rewriting: symbol | undefined;
  /** All rewritings: whoever does not look at one that fails has failed by that. */
  #begun: Heeded[] = [];

  static {
    Object.freeze(this.prototype);
  }

  constructor(of: MessageCase) {
    super();
    this.#case = of;
    Object.freeze(this);
  }

  get octets(): number {
    return this.#case.message.octets;
  }
  get fields(): readonly Field[] {
    return this.#case.message.fields.map(lent);
  }
  open(options?: OpenOptions): AsyncIterable<Uint8Array> {
    return this.#case.message.open(options);
  }
  bytes(): Promise<Uint8Array> {
    return this.#case.message.bytes();
  }

  addField(name: string, value: string): void {
    const field = makeField(name, value);
    this.#edit({ kind: "add", field: name, apply: (message) => message.add(field) });
  }

  removeField(name: string): void {
    if (this.#has(name)) this.#edit({ kind: "remove", field: name, apply: (message) => void message.remove(name) });
  }

  /** In the message, or added by this tap. */
  #has(name: string): boolean {
    const own = this.#edits.some((edit) => edit.kind !== "rewrite" && sameName(edit.field, name));
    return own || this.#case.message.fields.some((field) => sameName(field.name, name));
  }

  replaceField(name: string, value: string): void {
    const field = makeField(name, value);
    this.#edit({ kind: "replace", field: name, apply: (message) => message.replace(field) });
  }

  #edit(edit: FieldEdit): void {
    if (this.alive) this.#edits.push(edit);
  }

  rewriteBody(transform: BodyTransform): Promise<void> {
    const written = Heeded.of(this.#rewrite(transform));
    if (this.alive) this.#begun.push(written);
    return written;
  }

  async #rewrite(transform: BodyTransform): Promise<void> {
    if (!this.alive) throw new Error("the tap has settled: its message cannot be changed any more");
    if (this.#rewriting !== undefined) throw new Error("one rewriteBody at a time: wait for the first");
    const mine = Symbol("rewriting");
    this.#rewriting = mine;
    const mayGoOn = (): void => {
      if (this.#rewriting !== mine) throw new Error("the tap has settled: what it makes of the body comes too late");
    };
    try {
      const { message } = this.#case;
      const before = this.#edits.findLast((edit) => edit.kind === "rewrite");
      const written = await message.transformBody(transform, before?.body.read() ?? message.openBody(), mayGoOn);
      if (this.#rewriting === mine) this.#edits.push({ kind: "rewrite", body: written });
      else await written.dispose();
      mayGoOn();
    } finally {
      if (this.#rewriting === mine) this.#rewriting = undefined;
    }
  }

  override get unfinished(): string | undefined {
    const waited = this.#rewriting === undefined && !this.#begun.some((one) => one.lost);
    return waited ? undefined : "it did not wait for rewriteBody";
  }

  protected edits(): readonly Edit[] {
    return this.#edits.map((edit): Edit => {
      const others = this.#case.touches.by(touched(edit)).filter((plugin) => plugin !== this.borrower);
      return edit.kind === "rewrite"
        ? { kind: "rewrite", octets: edit.body.octets, touchedBy: others }
        : { kind: edit.kind, field: edit.field, touchedBy: others };
    });
  }

  protected keep(): void {
    for (const edit of this.#edits) {
      if (edit.kind === "rewrite") this.#case.message.putBody(edit.body);
      else edit.apply(this.#case.message);
      this.#case.touches.note(touched(edit), this.borrower);
    }
    if (this.#edits.length > 0) this.#edits = [];
    if (this.#begun.length > 0) this.#begun = [];
  }

  protected forget(): void {
    this.#rewriting = undefined;
    for (const edit of this.#edits) if (edit.kind === "rewrite") void edit.body.dispose();
    if (this.#edits.length > 0) this.#edits = [];
    if (this.#begun.length > 0) this.#begun = [];
  }
}
