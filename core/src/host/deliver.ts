import type { Outcome } from "../protocol/machine.ts";
import { replies } from "../protocol/replies.ts";
import type { Reply } from "../protocol/reply.ts";
import type { AcceptedRecipient, Route, Transaction } from "../protocol/session.ts";
import type { StoredMessage } from "../message/message.ts";
import { type Soon, allSoon, attempt, soon } from "../protocol/soon.ts";
import { storageReply } from "../message/receiver.ts";
import { DeliveryCase, type Staged } from "./delivery.ts";
import type { LiveGeneration } from "./generation.ts";
import { describe, isThenable } from "./guard.ts";
import type { Health } from "./health.ts";
import { isRefusal } from "./opinion.ts";
import type { Transport } from "./recipient.ts";
import type { Run } from "./run.ts";
import type { TapOutcome } from "./trace.ts";

/** One copy: a transport, and those of the recipients it serves. */
interface Group {
  readonly key: string;
  readonly transport: Transport;
  readonly recipients: AcceptedRecipient[];
}

/** What was staged, and the plugin that answers for it. */
interface Copy {
  readonly staged: Staged;
  readonly plugin: string;
  readonly version: string;
  readonly health: Health | undefined;
  readonly transaction: string;
}

interface StagedGroup {
  readonly transport: Transport;
  readonly staged: readonly Copy[];
  readonly refusal: Refused | undefined;
}

/** What the client is told instead of 250, and whether it is the last word. */
interface Refused {
  readonly problem: Reply;
  readonly close?: boolean;
}

/**
 * Delivers in two phases: stage all, then commit all, then 250 (P9). Any refusal while staging aborts all,
 * 4yz before 5yz, then the order of RCPT. `dryRun` stages and aborts: `mailhost try`.
 */
export function deliver(
  generation: LiveGeneration,
  message: StoredMessage,
  transaction: Transaction,
  run: Run,
  dryRun: boolean,
): Soon<Outcome<Reply>> {
  const groups = groupByTransport(transaction.recipients, generation.vocabulary.transports);
  const staging = allSoon(groups.map((group) => stage(generation, group, message, transaction, run)));
  return soon(staging, (staged) => {
    if (!dryRun && staged.every((group) => group.refusal === undefined)) return commitAll(staged, transaction, run);
    const refusal = foremost(staged.flatMap((group) => group.refusal ?? []));
    const copies = staged.flatMap((group) => group.staged);
    return abortAll(copies, run).then(() => refusal ?? queued(transaction));
  });
}

/** Any 4yz before any 5yz: a copy that may succeed later must not bounce. Then the order of RCPT. */
const foremost = (refusals: readonly Refused[]): Refused | undefined =>
  refusals.find(({ problem }) => problem.code < 500) ?? refusals[0];

const queued = ({ id }: Transaction): Outcome<Reply> => ({
  value: { code: 250, status: "2.0.0", text: `Ok: queued as ${id}` },
});

/** A one-phase transport is called once per nexthop, any other once for all of its recipients. */
function groupByTransport(
  recipients: readonly AcceptedRecipient[],
  transports: ReadonlyMap<string, Transport>,
): Group[] {
  const groups: Group[] = [];
  let last: { readonly route: Route; readonly members: AcceptedRecipient[] } | undefined;
  for (const recipient of recipients) {
    const { route } = recipient;
    if (route !== last?.route) last = { route, members: groupOf(recipient, groups, transports).recipients };
    last.members.push(recipient);
  }
  return groups;
}

/** The group a recipient belongs to, made when it is the first. */
function groupOf(recipient: AcceptedRecipient, groups: Group[], transports: ReadonlyMap<string, Transport>): Group {
  const transport = transports.get(recipient.route.transport);
  if (transport === undefined) throw new Error(`transport ${recipient.route.transport} is gone`);
  const key = callKey(transport, recipient.route);
  const known = groups.find((one) => one.key === key);
  if (known !== undefined) return known;
  const group: Group = { key, transport, recipients: [] };
  groups.push(group);
  return group;
}

/** Which call of its transport a recipient belongs to. */
export const callKey = (transport: Transport, route: Route): string =>
  transport.phases === "one" ? `${transport.name} ${route.nexthop ?? ""}` : transport.name;

function stage(
  generation: LiveGeneration,
  group: Group,
  message: StoredMessage,
  transaction: Transaction,
  run: Run,
): Soon<StagedGroup> {
  const { transport, recipients } = group;
  const { owner: plugin } = transport;
  const health = generation.health.get(plugin);
  const version = generation.plugins.find(({ name }) => name === plugin)?.version ?? "";
  const copy = (staged: Staged): Copy => ({ staged, plugin, version, health, transaction: transaction.id });
  const subject = new DeliveryCase(transaction, message, recipients, plugin, (staged) => void abort(copy(staged), run));
  const hook = generation.hooks.queue.get(transport.name);
  if (hook === undefined) return { transport, staged: [], refusal: unstaged(transport, run) };
  const asked = hook.ask({ subject, rest: [run.session], run, transaction: transaction.id });
  return soon(asked, (opinion) => {
    const staged = subject.staged.map(copy);
    if (opinion !== undefined) return { transport, staged, refusal: { problem: opinion.reply, close: opinion.close } };
    return { transport, staged, refusal: staged.length === 0 ? unstaged(transport, run) : undefined };
  });
}

function unstaged(transport: Transport, run: Run): Refused {
  run.log.error(
    { plugin: transport.owner, session: run.session.id },
    `transport ${transport.name} did not stage the message`,
  );
  return { problem: replies.unstaged };
}

function commitAll(groups: readonly StagedGroup[], transaction: Transaction, run: Run): Soon<Outcome<Reply>> {
  let single: StagedGroup | undefined;
  const double: Copy[] = [];
  for (const group of groups) {
    if (group.transport.phases === "two") double.push(...group.staged);
    else if (single === undefined) single = group;
    else throw new Error("a transaction holds at most one one-phase call");
  }
  if (single === undefined) return commitDouble(double, false, transaction, run);
  return commitEach(single.staged, run).then((refusal) => {
    if (refusal === undefined) return commitDouble(double, true, transaction, run);
    return abortAll(double, run).then(() => refusal);
  });
}

/** `visible`: a copy is there for all to see. */
function commitDouble(
  copies: readonly Copy[],
  visible: boolean,
  transaction: Transaction,
  run: Run,
): Soon<Outcome<Reply>> {
  return soon(allSoon(copies.map((one) => commit(one, run))), (committed) => {
    if (committed.every((refusal) => refusal === undefined)) return queued(transaction);
    const refusals = committed.filter((refusal) => refusal !== undefined);
    const refusal = foremost(refusals) ?? { problem: replies.internal };
    // A copy is visible already: only a 4yz keeps the others from being lost
    return refusals.length === copies.length && !visible ? refusal : { problem: replies.internal };
  });
}

const abortAll = (copies: readonly Copy[], run: Run): Promise<unknown> =>
  Promise.all(copies.map((one) => abort(one, run)));

async function commitEach(staged: readonly Copy[], run: Run): Promise<Refused | undefined> {
  for (const [index, one] of staged.entries()) {
    const refusal = await commit(one, run);
    if (refusal === undefined) continue;
    await abortAll(staged.slice(index + 1), run);
    return index === 0 ? refusal : { problem: replies.internal }; // the first is delivered
  }
  return undefined;
}

function commit(copy: Copy, run: Run): Soon<Refused | undefined> {
  const { staged, plugin, health } = copy;
  const trace = run.traced ? watchCommit(copy, run) : () => undefined;
  const committed = (opinion: unknown): Refused | undefined => {
    const refused = isRefusal(opinion);
    if (refused) trace({ kind: "refused", reply: opinion.reply });
    if (refused) return { problem: opinion.reply, close: opinion.close };
    if (opinion === undefined || opinion === null) return trace({ kind: "silent" });
    throw new TypeError(`commit returned ${describe(opinion)} instead of a refusal or nothing`);
  };
  const failed = (error: unknown): Refused => {
    const fields = { plugin, hook: "queue", session: run.session.id, err: error };
    run.log.error(fields, `plugin ${plugin} failed in commit: ${describe(error)}`);
    health?.failed(error, run);
    trace({ kind: "failed", error: describe(error), ignored: false });
    return { problem: storageReply(error) };
  };
  const commits = (): Soon<unknown> => {
    const opinion: unknown = staged.commit();
    return isThenable(opinion) ? Promise.resolve(opinion) : opinion;
  };
  return attempt(() => soon(commits(), committed), failed);
}

/** What a commit comes to is told as what a tap comes to: it is where a one-phase transport spends its time. */
function watchCommit({ plugin, version, transaction }: Copy, run: Run): (outcome: TapOutcome) => undefined {
  const started = performance.now();
  return (outcome) => {
    const milliseconds = performance.now() - started;
    run.took(milliseconds);
    run.trace({
      type: "tap",
      at: run.at,
      session: run.session,
      hook: "queue",
      plugin,
      version,
      tap: "commit",
      milliseconds,
      outcome,
      edits: [],
      transaction,
      recipient: undefined,
    });
    return undefined;
  };
}

/** Milliseconds a client waits for what was staged to be cleared away: an abort that hangs is nobody's 4yz. */
const abortMilliseconds = 30_000;

async function abort({ staged, plugin }: Copy, run: Run): Promise<void> {
  const fields = { plugin, hook: "queue", session: run.session.id };
  const failed = (error: unknown): void =>
    run.log.error({ ...fields, err: error }, `plugin ${plugin} failed in abort: ${describe(error)}`);
  await new Promise<void>((resolve) => {
    const cancel = run.clock.after(abortMilliseconds, () => {
      failed(new Error(`not done within ${abortMilliseconds} ms`));
      resolve();
    });
    void Promise.resolve()
      .then(() => staged.abort())
      .catch(failed)
      .then(() => {
        cancel();
        resolve();
      });
  });
}
