import type { Contract } from "./about.ts";
import type { Finding } from "./report.ts";

/** What a plugin is put through, in this order. */
export type CheckName =
  | "manifest"
  | "options"
  | "accepted message"
  | "null reverse-path"
  | "unusual addresses"
  | "unusual content"
  | "RSET storm"
  | "100 recipients"
  | "hostile input"
  | "disconnect"
  | "deadline"
  | "DNS"
  | "20 MB message"
  | "reload under load"
  | "twice"
  | "two listeners"
  | "memory"
  | "close";

/** One of them. */
export interface Check {
  readonly name: CheckName;
  /** How to mend what core told meanwhile, where the finding itself does not say. */
  readonly mend: string;
  /** So many times as long as others may it take: it holds more dialogues than all of them. */
  readonly longer?: number;
  /** Gives what it found. What it throws is a finding too. */
  readonly run: (contract: Contract) => Promise<readonly Finding[]>;
}

/** The accepted message must still be accepted. */
export const unharmed = (reply: string, after: string, mend: string): readonly Finding[] =>
  reply.startsWith("250") ? [] : [{ what: `after ${after} the accepted message is answered: ${reply}`, mend }];
