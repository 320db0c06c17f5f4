import type { Edit } from "./edit.ts";
import { Handle } from "./handle.ts";
import type { Health } from "./health.ts";
import { type Opinion, type Refusal, failure, isRefusal } from "./opinion.ts";
import type { Call, Run } from "./run.ts";
import type { HookName, TapOutcome } from "./trace.ts";

/** What a failing tap means for the client: 451, or nothing. */
export type OnFailure = "defer" | "ignore";

/** Whose tap this is, and how it is to be treated. */
export interface TapOwner {
  readonly hook: HookName;
  readonly plugin: string;
  readonly version: string;
  readonly tap: string;
  readonly onFailure: OnFailure;
  /** Milliseconds an async tap may take. */
  readonly deadline: number;
  readonly health: Health;
}

export type TapCallback = (error?: unknown, opinion?: Opinion) => void;

type SyncTap<H, R extends readonly unknown[]> = (handle: H, ...rest: R) => unknown;
type AsyncTap<H, R extends readonly unknown[]> = (handle: H, ...rest: [...R, AbortSignal, TapCallback]) => unknown;

/**
 * One wrapper around every sync tap (P7). No timer, no allocation; what it throws or wrongly returns
 * is a 451 and a log line, never more.
 */
export const guardSync =
  <H, R extends readonly unknown[]>(owner: TapOwner, tap: SyncTap<H, R>) =>
  (call: Call<H, R>): Refusal | undefined => {
    const handle = call.subject.shared;
    const started = call.run.traced ? performance.now() : 0;
    owner.health.called(call.run);
    if (handle instanceof Handle) handle.lend(owner.plugin);
    let verdict: Verdict;
    try {
      verdict = readOpinion(tap(handle, ...call.rest));
    } catch (error) {
      verdict = { failed: { error } };
    }
    return conclude(owner, call, handle, started, verdict);
  };

/** One wrapper around every async tap: a time limit, a signal, and the first settlement counts. */
export const guardAsync =
  <H, R extends readonly unknown[]>(owner: TapOwner, tap: AsyncTap<H, R>) =>
  (call: Call<H, R>, done: (error: null, refusal?: Refusal) => void): void => {
    const handle = call.subject.fresh();
    const { run } = call;
    const started = run.traced ? performance.now() : 0;
    const controller = new AbortController();
    const unwatch = run.watch(controller);
    owner.health.called(run);
    let settled: Verdict | undefined;
    const settle = (verdict: Verdict): void => {
      if (settled !== undefined) return tooLate(owner, call, started, settled, verdict);
      settled = verdict;
      cancel();
      unwatch();
      // Whoever gives up because nobody waits any more has not failed
      const heard = isAbandoned(verdict, controller.signal) ? { ...verdict, abandoned: true } : verdict;
      done(null, conclude(owner, call, handle, started, heard));
    };
    const cancel = run.clock.after(owner.deadline, () => {
      const error = new Error(`no answer within ${owner.deadline} ms`);
      settle({ failed: { error }, overdue: true });
      controller.abort(error);
    });
    if (handle instanceof Handle) handle.lend(owner.plugin);
    try {
      const returned = tap(handle, ...call.rest, controller.signal, (error, opinion) =>
        settle(error === undefined || error === null ? readOpinion(opinion) : { failed: { error } }),
      );
      // An async function under tapAsync: its rejection must not become the process's
      if (isThenable(returned)) returned.then(undefined, (error: unknown) => settle({ failed: { error } }));
    } catch (error) {
      settle({ failed: { error } });
    }
  };

/** A promise tap is an async tap that calls back when its promise settles. */
export const fromPromise =
  <H, R extends readonly unknown[]>(
    tap: (handle: H, ...rest: [...R, AbortSignal]) => Promise<Opinion>,
  ): AsyncTap<H, R> =>
  (handle, ...rest) => {
    const callback = rest.at(-1) as TapCallback;
    // The callback is the last argument and is cut off here; the types cannot say so
    const promise: unknown = tap(handle, ...(rest.slice(0, -1) as [...R, AbortSignal]));
    if (!isThenable(promise)) throw new TypeError("a promise tap must return a promise");
    promise.then(
      (opinion) => callback(undefined, opinion as Opinion),
      (error: unknown) => callback(error ?? new Error("rejected with nothing")),
    );
  };

/** What came out of a tap: a refusal, silence, or a failure. */
interface Verdict {
  readonly refusal?: Refusal;
  readonly failed?: { readonly error: unknown };
  /** It failed because time was over. */
  readonly overdue?: boolean;
  /** It failed with nothing but its signal: the client was gone, or the server closing. */
  readonly abandoned?: boolean;
}

function readOpinion(value: unknown): Verdict {
  try {
    return judgeOpinion(value);
  } catch (error) {
    return { failed: { error } }; // a getter that throws
  }
}

function judgeOpinion(value: unknown): Verdict {
  if (value === undefined || value === null) return silence;
  if (isRefusal(value)) return { refusal: value };
  if (disown(value)) return { failed: { error: new TypeError("a sync tap returned a promise: use tapPromise") } };
  return { failed: { error: new TypeError(`a tap returned ${describe(value)} instead of a refusal or nothing`) } };
}

const silence: Verdict = {};
const silent: TapOutcome = Object.freeze({ kind: "silent" });

function conclude<H, R extends readonly unknown[]>(
  owner: TapOwner,
  call: Call<H, R>,
  handle: H,
  started: number,
  verdict: Verdict,
): Refusal | undefined {
  const { run } = call;
  const { refusal } = verdict;
  const lent = handle instanceof Handle ? handle : undefined;
  const failed = verdict.failed ?? unfinished(lent);
  const edits = lent?.settle(failed === undefined, run.traced) ?? [];
  if (failed === undefined) {
    if (run.traced) {
      const outcome: TapOutcome = refusal === undefined ? silent : { kind: "refused", reply: refusal.reply };
      traceTap(owner, call, started, outcome, edits);
    }
    return refusal;
  }
  const ignored = owner.onFailure === "ignore";
  if (verdict.abandoned === true) run.log.debug({ ...whose(owner, run), err: failed.error }, gaveUp(owner));
  else report(owner, run, failed.error, ignored);
  if (run.traced) traceTap(owner, call, started, { kind: "failed", error: describe(failed.error), ignored }, []);
  return ignored ? undefined : failure;
}

/** Another answer: after the deadline it is late, which was told; otherwise the tap answers twice. */
function tooLate<H, R extends readonly unknown[]>(
  owner: TapOwner,
  call: Call<H, R>,
  started: number,
  first: Verdict,
  { failed }: Verdict,
): void {
  const { plugin, hook } = owner;
  const { run } = call;
  if (run.traced) traceTap(owner, call, started, { kind: "late" }, []);
  if (first.overdue === true) return;
  const fields = { ...whose(owner, run), ...(failed === undefined ? {} : { err: failed.error }) };
  const also = failed === undefined ? "" : `: ${describe(failed.error)}`;
  run.log.warn(fields, `plugin ${plugin} answered twice in ${hook}, the first answer counts${also}`);
}

/** What it began and left is a failure: nobody would know whether it counts. */
function unfinished(lent: Handle | undefined): Verdict["failed"] {
  const what = lent?.unfinished;
  return what === undefined ? undefined : { error: new Error(what) };
}

/** Failed because nobody waits any more, by the signal's own reason or as `fetch` and node:fs say it. */
const isAbandoned = ({ failed, overdue }: Verdict, { aborted, reason }: AbortSignal): boolean =>
  aborted &&
  overdue !== true &&
  failed !== undefined &&
  (failed.error === reason || (failed.error instanceof Error && failed.error.name === "AbortError"));

const whose = ({ plugin, hook, tap }: TapOwner, { session }: Run) => ({ plugin, hook, tap, session: session.id });
const gaveUp = ({ plugin, hook }: TapOwner): string => `plugin ${plugin} gave up in ${hook}: nobody waited any more`;

function report(owner: TapOwner, run: Run, error: unknown, ignored: boolean): void {
  const { plugin, hook, health } = owner;
  const fields = { ...whose(owner, run), err: error };
  run.log.error(fields, `plugin ${plugin} failed in ${hook}: ${describe(error)}${ignored ? " (ignored)" : ""}`);
  health.failed(error, run);
}

function traceTap<H, R extends readonly unknown[]>(
  { hook, plugin, version, tap }: TapOwner,
  call: Call<H, R>,
  started: number,
  outcome: TapOutcome,
  edits: readonly Edit[],
): void {
  const milliseconds = performance.now() - started;
  const { run } = call;
  run.took(milliseconds);
  run.trace({
    type: "tap",
    at: run.at,
    session: run.session,
    hook,
    plugin,
    version,
    tap,
    milliseconds,
    outcome,
    edits,
    transaction: call.transaction,
    recipient: call.recipient === undefined ? undefined : run.spell(call.recipient),
  });
}

/** An error in words, whatever was thrown. */
export function describe(error: unknown): string {
  try {
    const words: unknown = error instanceof Error ? error.message : error;
    return typeof words === "string" ? words : (JSON.stringify(words) ?? typeof words);
  } catch {
    return typeof error;
  }
}

export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  (typeof value === "object" || typeof value === "function") &&
  value !== null &&
  "then" in value &&
  typeof value.then === "function";

/** Whether it is a promise where none may be. Its rejection is told as that failure, and must not become the process's. */
export function disown(value: unknown): boolean {
  if (!isThenable(value)) return false;
  value.then(undefined, () => {});
  return true;
}
