import type { Field } from "../message/header.ts";
import { type Message, type StoredMessage, makeField } from "../message/message.ts";
import { Handle, type Lender } from "./handle.ts";

/** The received message as `data` taps see it, with the methods that change it. Later taps see the result. */
export interface MessageView extends StoredMessage {
  /** Adds a field on top. Throws a TypeError on a name or value that is no field. */
  addField(name: string, value: string): void;
  /** Removes every field of that name. */
  removeField(name: string): void;
  /** Puts one field in place of all of that name; on top when there was none. */
  replaceField(name: string, value: string): void;
}

export class MessageCase implements Lender<MessageHandle> {
  readonly message: Message;
  readonly shared: MessageHandle;

  constructor(message: Message) {
    this.message = message;
    this.shared = new MessageHandle(message);
  }

  fresh(): MessageHandle {
    return new MessageHandle(this.message);
  }
}

interface Edit {
  readonly words: string;
  readonly apply: (message: Message) => void;
}

class MessageHandle extends Handle implements MessageView {
  readonly #message: Message;
  #edits: Edit[] = [];

  constructor(message: Message) {
    super();
    this.#message = message;
  }

  get octets(): number {
    return this.#message.octets;
  }
  get fields(): readonly Field[] {
    return this.#message.fields;
  }
  open(): AsyncIterable<Uint8Array> {
    return this.#message.open();
  }
  bytes(): Promise<Uint8Array> {
    return this.#message.bytes();
  }

  addField(name: string, value: string): void {
    const field = makeField(name, value);
    this.#edit(`add field ${name}`, (message) => message.add(field));
  }

  removeField(name: string): void {
    this.#edit(`remove field ${name}`, (message) => void message.remove(name));
  }

  replaceField(name: string, value: string): void {
    const field = makeField(name, value);
    this.#edit(`replace field ${name}`, (message) => message.replace(field));
  }

  #edit(words: string, apply: Edit["apply"]): void {
    if (this.alive) this.#edits.push({ words, apply });
  }

  protected edits(): readonly string[] {
    return this.#edits.map((edit) => edit.words);
  }

  protected keep(): void {
    for (const edit of this.#edits) edit.apply(this.#message);
    this.forget();
  }

  protected forget(): void {
    if (this.#edits.length > 0) this.#edits = [];
  }
}
