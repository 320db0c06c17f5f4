import { after } from "./clock.ts";
import { checkKeys } from "./keys.ts";
import type { InboxMessage } from "./message.ts";
import { type Match, type Test, addressTest, textTest } from "./match.ts";

/** Which messages are meant. What is left out is true of every message. */
export interface Filter {
  /** A recipient of the envelope. */
  readonly to?: Match | undefined;
  /** The reverse-path of the envelope; "" is the null one. */
  readonly from?: Match | undefined;
  readonly subject?: Match | undefined;
}

/** A filter, read once. */
export interface Wanted {
  /** ` to jane@example.com with subject "Hello"` */
  readonly words: string;
  readonly to: Test | undefined;
  readonly from: Test | undefined;
  readonly subject: Test | undefined;
}

/** Throws a TypeError on a filter that can mean nothing. */
export function readFilter(filter: Filter): Wanted {
  checkKeys(filter, ["to", "from", "subject"], "a filter");
  const { to, from, subject } = filter;
  const shown = (match: Match): string => (match instanceof RegExp ? String(match) : match === "" ? "<>" : match);
  const words = [
    to === undefined ? "" : ` to ${shown(to)}`,
    from === undefined ? "" : ` from ${shown(from)}`,
    subject === undefined
      ? ""
      : ` with subject ${subject instanceof RegExp ? String(subject) : JSON.stringify(subject)}`,
  ];
  return {
    words: words.join(""),
    to: to === undefined ? undefined : addressTest(to, "to"),
    from: from === undefined ? undefined : addressTest(from, "from"),
    subject: subject === undefined ? undefined : textTest(subject),
  };
}

/** A message, and for whom nobody has taken it yet. */
interface Kept {
  readonly message: InboxMessage;
  readonly untaken: Set<string>;
}

interface Waiter {
  readonly offer: (kept: Kept) => boolean;
  readonly giveUp: (reason: Error) => void;
}

/** Messages in the order they came. Each is taken once for each of its recipients: one test's take never hides it from another. */
export class Mailbox {
  #kept: Kept[] = [];
  readonly #waiters = new Set<Waiter>();
  #closed: Error | undefined;

  add(message: InboxMessage): void {
    const kept = { message, untaken: new Set(message.to) };
    this.#kept.push(kept);
    for (const waiter of this.#waiters) if (waiter.offer(kept)) this.#waiters.delete(waiter);
  }

  messages(wanted: Wanted): InboxMessage[] {
    return this.#kept
      .map(({ message }) => message)
      .filter((message) => concerns(message, message.to, wanted).length > 0);
  }

  /** A line for each message. */
  describe(): string[] {
    return this.#kept.map(
      ({ message, untaken }) => `${describeMessage(message)}${untaken.size === 0 ? " (taken)" : ""}`,
    );
  }

  remove(wanted: Wanted): void {
    this.#kept = this.#kept.filter(({ message }) => concerns(message, message.to, wanted).length === 0);
  }

  /** The first that nobody took, or the first to come within the time; undefined when there is none. Rejects when the mailbox closes. */
  async wait(wanted: Wanted, milliseconds: number, take: boolean): Promise<InboxMessage | undefined> {
    const offered = ({ message, untaken }: Kept): boolean => {
      const its = concerns(message, [...untaken], wanted);
      if (take) for (const recipient of its) untaken.delete(recipient);
      return its.length > 0;
    };
    const here = this.#kept.find(offered);
    if (here !== undefined) return here.message;
    if (this.#closed !== undefined) throw this.#closed;
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        offer: (kept) => {
          if (!offered(kept)) return false;
          timer.cancel();
          resolve(kept.message);
          return true;
        },
        giveUp: (reason) => {
          timer.cancel();
          reject(reason);
        },
      };
      // Not unref'd: while a test waits for mail of another process, nothing else may keep this one alive
      const timer = after(milliseconds, () => {
        this.#waiters.delete(waiter);
        resolve(undefined);
      });
      this.#waiters.add(waiter);
    });
  }

  close(reason: Error): void {
    this.#closed ??= reason;
    for (const waiter of this.#waiters) waiter.giveUp(reason);
    this.#waiters.clear();
  }
}

/** Those of the recipients for whom the message is meant. */
function concerns(
  message: InboxMessage,
  recipients: readonly string[],
  { to, from, subject }: Wanted,
): readonly string[] {
  if (from?.(message.from) === false || subject?.(message.subject) === false) return [];
  return to === undefined ? recipients : recipients.filter(to);
}

export const describeMessage = ({ to, from, subject }: InboxMessage): string =>
  `to ${to.join(", ")}, from ${from === "" ? "<>" : from}, subject ${JSON.stringify(subject)}`;
