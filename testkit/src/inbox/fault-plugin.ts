import {
  type Clock,
  type Opinion,
  type Plugin,
  type Reply,
  type Session,
  type TraceEvent,
  type Transaction,
  definePlugin,
  disconnect,
  formatAddress,
  parseAddress,
  rejectWith,
  replies,
} from "@mailhost/core";
import type { Dialogue, Dialogues } from "./dialogue.ts";
import type { About, Effect, Faults } from "./faults.ts";

/** What the client of a dropped connection would be told, could it hear. */
const gone = disconnect("Dropped");

/** Longest an async tap may take: a fault lasts as long as it says. */
const deadline = 2 ** 31 - 1;

/** Where a hook judges, faults are refusals of a tap; elsewhere a gate refuses, and the wire holds its tongue. */
export const faultPlugin = (faults: Faults, dialogues: Dialogues): Plugin =>
  definePlugin({
    name: "inbox-faults",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      const { clock, hooks } = host;
      const first = { name: "inbox-faults", stage: "first", deadline } as const;
      const happen = (effect: Effect | undefined, session: Session, signal: AbortSignal): Promise<Opinion> =>
        effect === undefined ? Promise.resolve(undefined) : carryOut(effect, dialogues.of(session), clock, signal);

      hooks.connect.tapPromise(first, (session, signal) => happen(faults.take("CONNECT"), session, signal));
      hooks.ehlo.tapPromise(first, (_greeting, session, signal) => happen(faults.take("EHLO"), session, signal));
      hooks.auth.tapPromise(first, (_credentials, session, signal) => happen(faults.take("AUTH"), session, signal));
      hooks.rcpt.tapPromise(first, (recipient, transaction, session, signal) => {
        dialogues.of(session).transaction = transaction;
        const about = { to: [formatAddress(recipient.address)], from: senderOf(transaction) };
        return happen(faults.take("RCPT", about), session, signal);
      });
      hooks.data.tapPromise(first, async (_message, transaction, session, signal) => {
        if (dialogues.of(session).dropped) return gone;
        return happen(faults.take("BODY", aboutOf(transaction)), session, signal);
      });
      host.extend({ gate: (verb, session) => gate(verb, dialogues.of(session), faults) });
      hooks.trace.tap("inbox-faults", (event) => watch(event, dialogues, faults));
    },
  })();

const senderOf = ({ reversePath }: Transaction): string => (reversePath === null ? "" : formatAddress(reversePath));

const aboutOf = (transaction: Transaction): About => ({
  to: transaction.recipients.map(({ address }) => formatAddress(address)),
  from: senderOf(transaction),
});

async function carryOut(effect: Effect, dialogue: Dialogue, clock: Clock, signal: AbortSignal): Promise<Opinion> {
  await pause(clock, effect.delay, signal);
  // The inbox closes, or the client is gone: whatever was delayed does not happen
  if (signal.aborted) return gone;
  if (effect.drop) {
    dialogue.wire.drop();
    return gone;
  }
  const { reply } = effect;
  if (reply === undefined) return undefined;
  return closes(reply)
    ? disconnect(String(reply.text), reply.status === undefined ? {} : { status: reply.status })
    : rejectWith(reply);
}

/** RFC 5321 §3.8, §4.2.1. */
const closes = ({ code }: Reply): boolean => code === 421;

/** Until the time is over, the client is gone or the inbox closes. */
const pause = (clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (milliseconds === 0 || signal.aborted) return resolve();
    const cancel = clock.after(milliseconds, resolve);
    signal.addEventListener("abort", () => {
      cancel();
      resolve();
    });
  });

/** Commands no hook judges. Their argument is in the line that was just seen. */
function gate(verb: string, dialogue: Dialogue, faults: Faults): Reply | undefined {
  if (verb === "MAIL" || verb === "RSET" || verb === "EHLO" || verb === "HELO") dialogue.transaction = undefined;
  const effect =
    verb === "MAIL" || verb === "STARTTLS" || verb === "DATA" ? faults.take(verb, known(verb, dialogue)) : undefined;
  if (effect === undefined) return undefined;
  const { wire } = dialogue;
  const { delay, drop, reply } = effect;
  if (delay > 0) wire.hold(delay);
  if (drop) wire.dropLater();
  if (drop || (reply !== undefined && closes(reply))) wire.leave("a fault of the test");
  return drop ? replies.shuttingDown : reply;
}

function known(verb: "MAIL" | "STARTTLS" | "DATA", { said, transaction }: Dialogue): About {
  if (verb === "DATA" && transaction !== undefined) return aboutOf(transaction);
  const path = verb === "MAIL" ? /^mail\s+from:\s*<?([^>\s]*)/i.exec(said)?.[1] : undefined;
  if (path === undefined) return {};
  const address = parseAddress(path);
  return { from: address === undefined ? path : formatAddress(address) };
}

function watch(event: TraceEvent, dialogues: Dialogues, faults: Faults): void {
  if (event.type !== "client" && event.type !== "body") return;
  const dialogue = dialogues.of(event.session);
  if (event.type === "client") {
    dialogue.said = event.line;
    dialogue.octets = 0;
    return;
  }
  if (dialogue.octets === 0) dialogue.firstOctet = event.octets[0];
  dialogue.octets += event.octets.length;
  const { transaction, octets } = dialogue;
  if (dialogue.dropped || transaction === undefined) return;
  if (faults.take("BODY", { ...aboutOf(transaction), octets }) === undefined) return;
  // The socket goes, the engine hears of it in a later tick: a body that is just over must still be refused
  dialogue.dropped = true;
  dialogue.wire.drop();
}
