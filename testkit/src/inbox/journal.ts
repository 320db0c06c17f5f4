import type { Wanted } from "./mailbox.ts";

/** Nothing that was wanted came in time. The text says what came instead, and what was refused. */
export class InboxTimeoutError extends Error {
  override readonly name = "InboxTimeoutError";
}

/** Lines of each kind an error shows. */
const most = 10;

/** What clients did that left no message behind: for the error of a test that waits in vain. */
export class Journal {
  #refused: string[] = [];
  #clients = 0;

  client(): void {
    this.#clients += 1;
  }

  note(what: string): void {
    this.#refused.push(what);
    if (this.#refused.length > 1000) this.#refused.shift();
  }

  clear(): void {
    this.#refused = [];
  }

  /** `messages` has a line for each the inbox holds. */
  timeout({ words }: Wanted, milliseconds: number, messages: readonly string[]): InboxTimeoutError {
    const { length } = messages;
    const held =
      length > 0
        ? list(`The inbox holds ${length} message${length === 1 ? "" : "s"}:`, messages)
        : [this.#clients === 0 ? "No client has connected to this inbox." : "The inbox holds no message."];
    const refused = this.#refused.length === 0 ? [] : list("Clients that left no message:", this.#refused);
    return new InboxTimeoutError([`no message${words} came within ${milliseconds} ms`, ...held, ...refused].join("\n"));
  }
}

/** The last of them: what a test waits for comes last. */
const list = (heading: string, lines: readonly string[]): string[] => [
  heading,
  ...(lines.length > most ? [`  (${lines.length - most} before)`] : []),
  ...lines.slice(-most).map((line) => `  ${line}`),
];
