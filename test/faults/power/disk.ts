import { Draft, blockOctets } from "./draft.ts";

/**
 * What a power cut may leave of a file system, from the log of what was asked of it. The model is weaker than any file
 * system in use, so what holds here holds on ext4, XFS and Btrfs in every mode of theirs. Two things are durable and
 * nothing else (fsync(2), "Calling fsync() does not necessarily ensure that the entry in the directory containing the
 * file has also reached disk"):
 *
 * - octets and size of a file, once an fsync or fdatasync of it that began after the write has returned;
 * - entries of a folder, once an fsync of that folder that began after the change has returned.
 *
 * Everything else may be there or not, each independently of each other, as in ALICE (Pillai et al., "All File Systems
 * Are Not Created Equal", OSDI 2014, whose weakest persistence model this is) and with what CrashMonkey found real
 * (Mohan et al., OSDI 2018):
 *
 * - every entry of a folder names what it named at the folder's last fsync, or anything it named since: unsynced
 *   creations, renames and removals survive in any subset and any order;
 * - a rename within a folder was or was not. One between two folders is two entries: one folder may remember it and the
 *   other not, and the file then has both names or none (ext2; Btrfs has had bugs of this kind);
 * - an entry may survive though the octets of its file never did (delayed allocation: the file is empty or zeros);
 * - a file is as long as at its last fsync or as at any block boundary since, and each block of 4 KiB holds any of what
 *   was written to it since; a block that never reached the disk reads as zeros, or as what the disk held before
 *   (ext4 `data=writeback`); a block may be torn between two sectors of 512 octets;
 * - what no durable entry leads to is gone, and so is everything below it.
 */
export type Step = Span & (Put | Write | Truncate | Sync | Told);

/** When a call began and when it had returned: no two moments are the same. What was there before is of moment 0. */
interface Span {
  readonly begun: number;
  readonly ended: number;
  /** For people: the call and the path. */
  readonly about: string;
}

/** A file or a folder, whatever it is called; the folder everything is below is 0. */
export type Inode = number;

/** What an entry of a folder names from now on. */
interface Put {
  readonly kind: "put";
  readonly folder: Inode;
  readonly name: string;
  readonly target: Inode | undefined;
}

interface Write {
  readonly kind: "write";
  readonly file: Inode;
  readonly at: number;
  readonly octets: Uint8Array;
}

interface Truncate {
  readonly kind: "truncate";
  readonly file: Inode;
  readonly size: number;
}

/** An fsync of a file or a folder that succeeded. */
interface Sync {
  readonly kind: "sync";
  readonly of: Inode;
}

/** The client was told what became of its message. */
interface Told {
  readonly kind: "told";
  readonly subject: string;
  readonly code: string;
}

export interface DiskLog {
  readonly steps: readonly Step[];
  readonly folders: ReadonlySet<Inode>;
}

/** What a reader finds after the cut: octets by path; folders are there as their paths. */
export type Tree = Map<string, Uint8Array | "folder">;

/** One of so many, counted from 0. */
export type Choose = (among: number) => number;

/** A cut at one moment, and the states it may leave. */
export class PowerCut {
  readonly #steps: readonly Step[];
  readonly #moment: number;
  readonly #folders: ReadonlySet<Inode>;
  readonly #entries = new Map<Inode, Map<string, (Inode | undefined)[]>>();
  readonly #drafts: Map<string, Draft>;

  constructor(log: DiskLog, moment: number) {
    const { steps, folders } = log;
    this.#drafts = drafts.get(log) ?? new Map<string, Draft>();
    drafts.set(log, this.#drafts);
    this.#steps = steps.filter(({ begun }) => begun <= moment);
    this.#moment = moment;
    this.#folders = folders;
  }

  /** One of the states. `matters` says of which paths anybody will look at. */
  leave(choose: Choose, matters: (path: string) => boolean): Tree {
    const tree: Tree = new Map();
    const contents = new Map<Inode, Uint8Array>(); // a file with two names has one content
    const walk = (folder: Inode, path: string): void => {
      const named = new Map<string, Inode | undefined>();
      for (const [name, targets] of this.#entriesOf(folder))
        if (matters(path + name)) named.set(name, targets[choose(targets.length)]);
      this.#keepRenamesWhole(folder, named);
      for (const [name, target] of named) {
        if (target === undefined) continue;
        const content = this.#folders.has(target)
          ? "folder"
          : (contents.get(target) ?? this.#draft(target).pick(choose));
        tree.set(path + name, content);
        if (content === "folder") walk(target, `${path}${name}/`);
        else contents.set(target, content);
      }
    };
    walk(0, "");
    return tree;
  }

  /** Within one folder a rename was or was not: no file system loses both names, or keeps both. */
  #keepRenamesWhole(folder: Inode, named: Map<string, Inode | undefined>): void {
    const puts = this.#steps.flatMap((step) => (step.kind === "put" && step.folder === folder ? [step] : []));
    for (const { name, target, ended } of puts) {
      const from = puts.find((one) => one.ended === ended && one.name !== name && one.target === undefined)?.name;
      if (target === undefined || from === undefined || ended === 0) continue;
      if (puts.some((one) => one.name === name && one.ended > ended)) continue; // what came of it since is told by its entry
      if (named.get(name) === target) named.set(from, undefined);
      else if (named.get(from) === undefined) named.set(from, target);
    }
  }

  #entriesOf(folder: Inode): Map<string, (Inode | undefined)[]> {
    const known = this.#entries.get(folder);
    if (known !== undefined) return known;
    const entries = entriesOf(this.#steps, this.#moment, folder);
    this.#entries.set(folder, entries);
    return entries;
  }

  #draft(file: Inode): Draft {
    const steps = this.#steps.filter(
      (step) => (step.kind === "write" || step.kind === "truncate") && step.file === file,
    );
    const key = `${file} ${steps.length} ${syncedUntil(this.#steps, this.#moment, file)}`;
    const draft = this.#drafts.get(key) ?? draftOf(this.#steps, this.#moment, file);
    this.#drafts.set(key, draft);
    return draft;
  }
}

/** Files are the same at many moments of a log. */
const drafts = new WeakMap<DiskLog, Map<string, Draft>>();

/** The beginning of the last fsync that had returned by the moment: what had returned by then is on the disk. */
const syncedUntil = (steps: readonly Step[], moment: number, inode: Inode): number =>
  Math.max(
    0,
    ...steps.flatMap((step) => (step.kind === "sync" && step.of === inode && step.ended <= moment ? [step.begun] : [])),
  );

function durable(steps: readonly Step[], moment: number, inode: Inode): (step: Step) => boolean {
  const latest = syncedUntil(steps, moment, inode);
  return ({ ended }) => ended <= latest;
}

/** What each entry of a folder may name after the cut, each once. */
function entriesOf(steps: readonly Step[], moment: number, folder: Inode): Map<string, (Inode | undefined)[]> {
  const isDurable = durable(steps, moment, folder);
  const entries = new Map<string, (Inode | undefined)[]>();
  for (const step of steps) {
    if (step.kind !== "put" || step.folder !== folder) continue;
    const before = isDurable(step) ? [] : (entries.get(step.name) ?? [undefined]);
    entries.set(step.name, [...new Set([...before, step.target])]);
  }
  return entries;
}

/** What a file may hold after the cut. */
function draftOf(steps: readonly Step[], moment: number, file: Inode): Draft {
  const isDurable = durable(steps, moment, file);
  const draft = new Draft();
  for (const step of steps) {
    if ((step.kind !== "write" && step.kind !== "truncate") || step.file !== file) continue;
    if (step.kind === "truncate") draft.truncate(step.size);
    else for (const piece of inBlocks(step.at, step.octets)) draft.write(piece.at, piece.octets);
    if (isDurable(step)) draft.settle();
  }
  return draft;
}

function* inBlocks(at: number, octets: Uint8Array): Generator<{ at: number; octets: Uint8Array }> {
  for (let from = 0; from < octets.length;) {
    const to = Math.min(octets.length, from + blockOctets - ((at + from) % blockOctets));
    yield { at: at + from, octets: octets.subarray(from, to) };
    from = to;
  }
}
