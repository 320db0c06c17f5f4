import { readFileSync, readdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { mailboxPath } from "@mailhost/plugin-maildir";
import { type Letter, boxes, letter } from "./letters.ts";

/** A letter that is not done with. */
interface Entry {
  readonly letter: Letter;
  /** Times it was sent, all of it or a part. */
  sent: number;
  acknowledged: boolean;
  readonly copies: Map<string, number>;
}

/** What was handed in, what was acknowledged, and what is there. */
export class Ledger {
  readonly problems: string[] = [];
  acknowledged = 0;
  /** Files of letters that were looked at. */
  copies = 0;
  /** Copies beyond the one that a recipient should get. */
  doubles = 0;
  /** Messages that were sent and never acknowledged, though a recipient has one. */
  unacknowledged = 0;
  readonly #root: string;
  readonly #open = new Map<number, Entry>();
  #next = 0;

  constructor(root: string) {
    this.#root = root;
  }

  /** A new letter, of so many lines if that is said. */
  take(lines?: number): Letter {
    const one = letter(this.#next, lines);
    this.#next += 1;
    this.#open.set(one.number, { letter: one, sent: 0, acknowledged: false, copies: new Map() });
    return one;
  }

  sends({ number }: Letter): void {
    const entry = this.#open.get(number);
    if (entry !== undefined) entry.sent += 1;
  }

  acknowledge({ number }: Letter): void {
    const entry = this.#open.get(number);
    if (entry !== undefined) entry.acknowledged = true;
    this.acknowledged += 1;
  }

  /**
   * Whatever a reader may see is whole; what was acknowledged before this look is there for each recipient; a double is
   * there only for a time it was sent without an answer. What was seen is removed, so that folders stay small.
   */
  check(): void {
    const due = [...this.#open.values()].filter(({ acknowledged }) => acknowledged);
    for (const box of boxes) for (const path of this.files(box, "new")) this.#see(box, path);
    for (const { letter, sent, copies } of this.#open.values())
      for (const [box, count] of copies)
        if (count > sent)
          this.problems.push(`message ${letter.number} for ${box} was sent ${sent} times and stored ${count} times`);
    for (const { letter, copies } of due) {
      for (const box of letter.recipients) {
        const count = copies.get(box) ?? 0;
        if (count === 0) this.problems.push(`acknowledged message ${letter.number} for ${box} is lost`);
        this.doubles += Math.max(0, count - 1);
      }
      this.#open.delete(letter.number);
    }
    for (const { copies } of this.#open.values()) if (copies.size > 0) this.unacknowledged += 1;
  }

  #see(box: string, path: string): void {
    const stored = readFileSync(path, "latin1");
    const at = stored.indexOf("Message-ID: <");
    const number = Number(/^Message-ID: <(\d+)@/.exec(stored.slice(at, at + 40))?.[1]);
    const entry = this.#open.get(number);
    this.copies += 1;
    if (entry === undefined) return void this.problems.push(`${path} is no message, or came after it was counted`);
    const { letter, copies } = entry;
    if (!letter.recipients.includes(box)) this.problems.push(`message ${number} is in the mailbox of ${box}`);
    const top = `Return-Path: <sender@example.com>\nDelivered-To: ${box}\nReceived: from client.test `;
    if (stored.slice(at) !== letter.text.replaceAll("\r\n", "\n") || !stored.startsWith(top))
      this.problems.push(`message ${number} is not whole: ${path}`);
    copies.set(box, (copies.get(box) ?? 0) + 1);
    unlinkSync(path);
  }

  /** Files in `tmp` of all mailboxes. */
  get leftovers(): number {
    return boxes.reduce((sum, box) => sum + this.files(box, "tmp").length, 0);
  }

  files(box: string, folder: "new" | "tmp"): string[] {
    const path = join(mailboxPath(this.#root, box), folder);
    try {
      return readdirSync(path).map((name) => join(path, name));
    } catch {
      return []; // not one message for it yet
    }
  }
}
