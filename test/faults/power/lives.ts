import type { FileCall } from "../file-calls.ts";
import type { Scenario } from "../house.ts";

/** One message that is handed in. */
export interface Post {
  readonly subject: string;
  readonly to: readonly string[];
  /** The call that fails, for want of space. */
  readonly fails?: (call: FileCall) => boolean;
  /** Copies may stay though it was refused: the first was visible when a later one failed (P9). */
  readonly mayStay?: boolean;
  /** The client hangs up amid the body. */
  readonly hangsUp?: boolean;
}

/** What a server is given to do before the power is cut. */
export interface Life {
  readonly name: string;
  readonly options?: Scenario["options"];
  /** Lines of each message, 80 octets each. */
  readonly lines?: number;
  /** One group after the other, each at once. */
  readonly posts: readonly (readonly Post[])[];
  /** The root, when it is to be made first. */
  readonly root?: string;
  /** Milliseconds that pass behind each group. */
  readonly pause?: number;
  /** System calls of one delivery go on while those of others do. */
  readonly overlaps?: boolean;
  /** What another process takes, when the first was killed amid the last group, or another client hands in meanwhile. */
  readonly again?: readonly Post[];
}

const [jane, john, zoe] = ["jane@example.com", "john+list@example.com", "zoe@example.net"] as const;

const post = (subject: string, ...to: readonly string[]): Post => ({ subject, to });

const fullAt =
  (name: string, path: RegExp) =>
  (call: FileCall): boolean =>
    call.name === name && path.test(call.path);

const before = [post("before", jane, john, zoe)];

export const lives: readonly Life[] = [
  { name: "one recipient, a new mailbox", posts: [[post("during", jane)]] },
  { name: "one recipient, a mailbox that is there", posts: [[post("before", jane)], [post("during", jane)]] },
  { name: "a new mailbox and a new folder for the tag", posts: [[post("during", john)]] },
  { name: "a new folder for the tag", posts: [[post("before", "john@example.com")], [post("during", john)]] },
  { name: "three new recipients", posts: [[post("during", jane, john, zoe)]] },
  { name: "three recipients", posts: [before, [post("during", jane, john, zoe)]] },
  {
    name: "more than one holds in memory",
    lines: 3500,
    posts: [[post("before", jane)], [post("during", jane)]],
  },
  { name: "a root that is to be made", root: "var/mail", posts: [[post("during", jane)]] },
  {
    name: "every option",
    options: { quota: { octets: 100_000_000 }, fileMode: 0o640, folderMode: 0o750, crlf: false },
    posts: [[post("before", john)], [post("during", john)]],
  },
  {
    name: "four at once into new mailboxes",
    overlaps: true,
    posts: [[post("one", jane), post("two", jane), post("three", jane, zoe), post("four", john)]],
  },
  {
    name: "four at once into mailboxes that are there",
    overlaps: true,
    posts: [before, [post("one", jane), post("two", jane), post("three", jane, zoe), post("four", john, jane)]],
  },
  {
    name: "a full disk while it is written, and another message",
    posts: [
      [{ ...post("refused", jane, zoe), fails: fullAt("write", /zoe\/tmp/) }],
      [{ ...post("refused", jane, zoe), fails: fullAt("sync", /zoe\/tmp/) }],
      [post("during", jane)],
    ],
  },
  {
    name: "a full disk while it is shown, and another message",
    posts: [
      before,
      [{ ...post("unshown", jane, zoe), fails: fullAt("rename", /zoe/), mayStay: true }],
      [{ ...post("unsynced", jane, zoe), fails: fullAt("sync", /zoe\/new$/), mayStay: true }],
      [post("during", jane, zoe)],
    ],
  },
  {
    name: "a client that hangs up",
    lines: 3500,
    posts: [[{ ...post("abandoned", jane), hangsUp: true }], [post("during", jane)]],
  },
];

/** Killed behind so many calls of its last group, and followed by another. */
export const killed: readonly Life[] = [
  { name: "one recipient, a new mailbox", posts: [[post("during", jane)]], again: [post("again", jane)] },
  {
    name: "a root that is to be made",
    root: "var/mail",
    posts: [[post("during", jane)]],
    again: [post("again", jane)],
  },
  {
    name: "three new recipients",
    posts: [[post("during", jane, john, zoe)]],
    again: [post("again", zoe, john, jane)],
  },
];

const journal = { journal: true };

/** With a journal: what was acknowledged may be in it alone, and a new server puts it out before anybody reads. The first two are the short form. */
export const journaled: readonly Life[] = [
  {
    name: "one recipient, a mailbox that is there",
    options: journal,
    posts: [[post("before", jane)], [post("during", jane)]],
  },
  {
    name: "made durable, checked off and used again",
    options: journal,
    pause: 41_000,
    posts: [[post("before", jane)], [post("during", jane)], [post("behind", jane)]],
  },
  { name: "one recipient, a new mailbox", options: journal, posts: [[post("during", jane)]] },
  { name: "three recipients", options: journal, posts: [before, [post("during", jane, john, zoe)]] },
  {
    name: "larger than is for the journal",
    options: journal,
    lines: 3500,
    posts: [[post("before", jane)], [post("during", jane)]],
  },
  { name: "of several blocks", options: journal, lines: 200, posts: [[post("before", jane)], [post("during", jane)]] },
  {
    name: "four at once",
    options: journal,
    overlaps: true,
    posts: [before, [post("one", jane), post("two", jane), post("three", jane, zoe), post("four", john, jane)]],
  },
  {
    name: "a disk that takes nothing of the log, and another message",
    options: journal,
    posts: [
      before,
      [{ ...post("unwritten", jane, zoe), fails: fullAt("writev", /journal/), mayStay: true }],
      [{ ...post("unsynced", jane, zoe), fails: fullAt("datasync", /journal/), mayStay: true }],
      [post("during", jane, zoe)],
    ],
  },
];

/** The first message waits for one fsync, and `again` comes meanwhile. */
export const overtaken: readonly Life[] = [
  { name: "two into one new mailbox", posts: [[post("one", jane)]], again: [post("two", jane)] },
  { name: "two into one new folder for a tag", posts: [[post("one", john)]], again: [post("two", john)] },
  { name: "two of one domain", posts: [[post("one", jane)]], again: [post("two", john)] },
  {
    name: "two into one mailbox that is there",
    posts: [[post("before", jane), post("one", jane)]],
    again: [post("two", jane)],
  },
  { name: "a root that is to be made", root: "var/mail", posts: [[post("one", jane)]], again: [post("two", zoe)] },
];
