import type { FileCall, FileCalls } from "./file-calls.ts";

/** What goes wrong, from the call it is armed for. */
export interface Fault {
  readonly name: string;
  /** The calls it can befall. */
  readonly befalls: (call: FileCall) => boolean;
  /** What the call comes to. */
  readonly strike: (call: FileCall) => Promise<unknown>;
  /** It stays until it is mended: every later call it can befall meets it too. */
  readonly stays?: boolean;
  /** What the client is told, unless the call is one whose failure changes no answer. */
  readonly reply: "452" | "451" | "250";
  /** The disk may not let go of what was written. */
  readonly leaves?: boolean;
}

const noSpace = "452";
const trouble = "451";

/** The error of a system call, as Node tells it. */
export const systemError = (code: string, { name, path }: Pick<FileCall, "name" | "path">): Error =>
  Object.assign(new Error(`${code}: on purpose, ${name} '${path}'`), { code, syscall: name, path });

const any = (): boolean => true;
const transfers = ({ name }: FileCall): boolean => name === "read" || writes({ name });
/** Of the plugin's files, and of the spool's. */
export const writes = ({ name }: Pick<FileCall, "name">): boolean => name === "write" || name === "writev";

/** A close that fails has closed all the same: Linux lets go of the descriptor first. */
const isClose = ({ name }: FileCall): boolean => name === "close" || name === "closeFolder";

async function refuse(code: string, call: FileCall): Promise<never> {
  if (isClose(call)) await call.perform();
  throw systemError(code, call);
}

const failure = (code: string, reply: Fault["reply"]): Fault => ({
  name: code,
  befalls: any,
  strike: (call) => refuse(code, call),
  reply,
});

const opening = new Set(["open", "opendir"]);
const growing = new Set(["mkdir", "write", "writev", "rename", "sync", "datasync"]);
const changing = new Set([...growing, "unlink", "rmdir", "chmod"]);
const creates = ({ name, args }: FileCall): boolean => name === "open" && (isText(args[1]) || isCreating(args[1]));
const isText = (flags: unknown): boolean => typeof flags === "string";
const isCreating = (flags: unknown): boolean => typeof flags === "number" && (flags & 0o100) !== 0;

/** A fault that stays until it is mended. */
const lasting = (name: string, code: string, reply: Fault["reply"], befalls: Fault["befalls"]): Fault => ({
  ...failure(code, reply),
  name,
  befalls,
  stays: true,
});

/** The errors of the issue, one call each. */
export const failures: readonly Fault[] = [
  failure("ENOSPC", noSpace),
  failure("EDQUOT", noSpace),
  failure("EIO", trouble),
  failure("EMFILE", trouble),
  failure("EACCES", trouble),
  failure("EROFS", trouble),
];

export const others: readonly Fault[] = [
  { name: "half of it", befalls: transfers, strike: half, reply: "250" },
  {
    name: "nothing of it",
    befalls: transfers,
    strike: async () => ({ bytesWritten: 0, bytesRead: 0 }),
    reply: trouble,
  },
  { name: "EIO though it was done", befalls: any, strike: doneAndFailed, reply: trouble },
  lasting("a full disk until there is room", "ENOSPC", noSpace, (call) => growing.has(call.name) || creates(call)),
  lasting("no descriptors until some are returned", "EMFILE", trouble, ({ name }) => opening.has(name)),
  {
    ...lasting("read-only until remounted", "EROFS", trouble, (call) => changing.has(call.name) || creates(call)),
    leaves: true,
  },
  { ...lasting("a disk that is gone until it is back", "EIO", trouble, any), leaves: true },
];

/** Writes or reads half of what was asked for. */
function half(call: FileCall): Promise<unknown> {
  if (call.name === "writev") return halfOfPieces(call);
  const [octets, at = 0, length = (octets as Uint8Array).length - Number(at), position] = call.args; // the one form in use
  return call.perform([octets, at, Math.ceil(Number(length) / 2), position]);
}

/** Where there is only one piece, half of that. */
function halfOfPieces(call: FileCall): Promise<unknown> {
  const [pieces, position] = call.args as [readonly Uint8Array[], number]; // the one form in use
  const [first = new Uint8Array(0)] = pieces;
  const some =
    pieces.length > 1 ? pieces.slice(0, pieces.length / 2) : [first.subarray(0, Math.ceil(first.length / 2))];
  return call.perform([some, position]);
}

async function doneAndFailed(call: FileCall): Promise<never> {
  const result = await call.perform().catch(() => undefined); // or failed for a reason of its own
  call.aside(); // closing is a call too
  if (isOpened(result)) await result.close();
  throw systemError("EIO", call);
}

const isOpened = (result: unknown): result is { close(): Promise<void> } =>
  typeof result === "object" && result !== null && "close" in result;

/** Lets the fault befall call number `at`; the calls it befell. */
export function arm(calls: FileCalls, fault: Fault, at: number): FileCall[] {
  const struck: FileCall[] = [];
  calls.meet = async (call) => {
    const due = fault.stays === true ? call.number >= at : call.number === at;
    if (!due || !fault.befalls(call)) return call.perform();
    struck.push(call);
    return fault.strike(call);
  };
  return struck;
}
