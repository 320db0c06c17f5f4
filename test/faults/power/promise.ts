import { createHash } from "node:crypto";
import { subjectOf } from "../house.ts";
import { type Recorded, postsOf } from "./record.ts";
import { PowerCut, type DiskLog, type Tree } from "./disk.ts";
import { recordRecovery, recover } from "./recovery.ts";
import { type Patience, everyWay } from "./ways.ts";

/** What was found: the states that were looked at, and the first that breaks the promise. */
export interface Verdict {
  readonly states: number;
  readonly cuts: number;
  readonly broken: string | undefined;
}

/** Cuts the power at every moment of the log, and holds every state it may leave to P9. */
export function cutEverywhere(recorded: Recorded, patience: Patience): Verdict {
  const { log } = recorded;
  const moments = momentsOf(log);
  let states = 0;
  for (const moment of moments) {
    const cut = new PowerCut(log, moment);
    for (const tree of everyWay((choose) => cut.leave(choose, isLookedAt), patience)) {
      states += 1;
      const broken = breach(recorded, moment, subjectsIn(tree));
      if (broken !== undefined)
        return { states, cuts: moments.length, broken: `${broken}, when the power is cut ${when(log, moment)}` };
    }
  }
  return { states, cuts: moments.length, broken: undefined };
}

/** One in so many starts is cut short itself: each of its moments leaves states of its own. */
const oneInSecond = 10;

/**
 * As `cutEverywhere`, for a server that makes good at its next start what the cut left: only then anybody reads. It takes
 * the next message, and when it stops nothing has changed. With `again`, the power is cut once more amid some of those
 * starts.
 */
export async function cutAndRecover(
  street: string,
  recorded: Recorded,
  patience: Patience,
  again: Patience | undefined,
): Promise<Verdict> {
  const { log } = recorded;
  const moments = momentsOf(log);
  const known = new Set<string>();
  let states = 0;
  for (const moment of moments) {
    const cut = new PowerCut(log, moment);
    for (const tree of everyWay((choose) => cut.leave(choose, isKept), patience)) {
      const key = `${digestOf(tree)} ${toldBy(log, moment).length}`;
      if (known.has(key)) continue;
      known.add(key);
      states += 1;
      const where = `when the power is cut ${when(log, moment)}`;
      // The next message is handed in now and then: it costs more than all the rest
      const { started, closed, reply } = await recover(street, recorded, tree, states % 5 === 0);
      const broken =
        breach(recorded, moment, subjectsIn(started)) ??
        breach(recorded, moment, subjectsIn(closed)) ??
        (reply === undefined || reply.startsWith("250") ? undefined : `the next message is answered ${reply}`);
      if (broken !== undefined) return { states, cuts: moments.length, broken: `${broken}, ${where}` };
      if (again === undefined || states % oneInSecond !== 0) continue;
      const second = await cutAndRecover(
        street,
        await recordRecovery(street, recorded, moment, tree),
        again,
        undefined,
      );
      states += second.states;
      if (second.broken !== undefined)
        return { states, cuts: moments.length, broken: `${second.broken} of the start, ${where}` };
    }
  }
  return { states, cuts: moments.length, broken: undefined };
}

function digestOf(tree: Tree): string {
  const hash = createHash("sha1");
  for (const [path, content] of tree)
    hash.update(`${path}\0${content === "folder" ? content : digestOfFile(content)}\0`);
  return hash.digest("hex");
}

const digests = new WeakMap<Uint8Array, string>();

function digestOfFile(octets: Uint8Array): string {
  const known = digests.get(octets) ?? createHash("sha1").update(octets).digest("hex");
  digests.set(octets, known);
  return known;
}

const momentsOf = ({ steps }: DiskLog): number[] =>
  [...new Set(steps.flatMap(({ begun, ended }) => [begun, ended]))].toSorted((a, b) => a - b);

const toldBy = ({ steps }: DiskLog, moment: number) =>
  steps.flatMap((step) => (step.kind === "told" && step.ended <= moment ? [step] : []));

/** The spool is for the living. */
const isKept = (path: string): boolean => !path.endsWith("/spool");

/** What nobody reads: `tmp` is no mail, and the spool is for the living. */
const isLookedAt = (path: string): boolean => !/\/(?:tmp|spool)$/.test(path);

function when({ steps }: DiskLog, moment: number): string {
  const { begun, about } = steps.find((step) => step.begun === moment || step.ended === moment) ?? {
    begun: 0,
    about: "",
  };
  return `${begun === moment ? "in" : "behind"} ${about}`;
}

/** Subjects of what a reader of a mailbox sees. */
export type Reader = (mailbox: string) => readonly string[];

/** A Maildir reader takes what is in `new` and `cur`, and nothing else. */
export function subjectsIn(tree: Tree): Reader {
  const seen = new Map<string, string[]>();
  for (const [path, content] of tree) {
    const mailbox = /^(.*)\/(?:new|cur)\/[^/]+$/.exec(path)?.[1];
    if (mailbox !== undefined && content !== "folder")
      seen.set(mailbox, [...(seen.get(mailbox) ?? []), subject(content)]);
  }
  return (mailbox) => seen.get(mailbox) ?? [];
}

const subjects = new WeakMap<Uint8Array, string>();

function subject(octets: Uint8Array): string {
  const known = subjects.get(octets) ?? subjectOf(Buffer.from(octets).toString("latin1"));
  subjects.set(octets, known);
  return known;
}

/** How P9 is broken, or undefined: each message acknowledged is there for each of its recipients, whole, and no other is. */
function breach({ life, log, mailbox }: Recorded, moment: number, reader: Reader): string | undefined {
  const told = toldBy(log, moment);
  const posts = postsOf(life);
  for (const recipient of new Set(posts.flatMap(({ to }) => to))) {
    const seen = reader(mailbox(recipient));
    if (seen.includes("torn")) return `${recipient} finds a message that is not whole`;
    for (const { subject: name, to, mayStay = false } of posts) {
      const copies = seen.filter((one) => one === name).length;
      const codes = told.filter((one) => one.subject === name).map(({ code }) => code);
      const what = `${recipient} finds ${copies} of "${name}", of which the client was told ${codes.join() || "nothing"}`;
      if (codes.includes("250") && to.includes(recipient) && copies === 0) return what;
      const most = !to.includes(recipient) || (codes.length > 0 && !codes.includes("250") && !mayStay) ? 0 : 1;
      if (copies > most) return what;
    }
  }
  return undefined;
}
