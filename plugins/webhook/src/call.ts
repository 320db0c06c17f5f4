import { type Clock, type Delivery, type Host, type Refusal, type Session, describeError } from "@mailhost/core";
import { type Content, type WebhookEnvelope, jsonContent, makeEnvelope, rawContent } from "./content.ts";
import { keyOf } from "./key.ts";
import type { Lane } from "./lane.ts";
import type { Parser } from "./parser.ts";
import { type Answer, post } from "./request.ts";
import { sign } from "./signature.ts";
import { type Verdict, busy, judge, readRetryAfter, unreadable } from "./verdict.ts";

/** An endpoint, its options filled in. */
export interface Endpoint {
  readonly url: URL;
  readonly lane: Lane;
  /** Messages are parsed. */
  readonly parser: Parser | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly secrets: readonly Buffer[];
  readonly timeout: number;
  readonly retries: number;
  readonly patience: number;
  readonly rejects: readonly number[];
}

/** One message for one endpoint. */
interface Call {
  readonly host: Host;
  readonly endpoint: Endpoint;
  readonly content: Content;
  readonly key: string;
  /** When patience ends, on the host's clock. */
  readonly end: number;
  readonly note: (verdict: Verdict, tries: number) => void;
}

/** Milliseconds before the second try; twice as many before each that follows. */
const firstPause = 1000;

/** Hands a message to the endpoint. Resolves to what the client is told instead of 250. */
export async function handOver(
  host: Host,
  endpoint: Endpoint,
  delivery: Delivery,
  session: Session,
): Promise<Refusal | undefined> {
  const { clock } = host;
  const end = clock.now() + endpoint.patience;
  const fields = { session: session.id, transaction: delivery.id, endpoint: endpoint.url.host };
  const envelope = makeEnvelope(delivery, session, host.name, clock.now());
  const leave = await endpoint.lane.enter(clock, endpoint.patience);
  if (leave === undefined) {
    host.log.warn(fields, "no turn came up in time: the endpoint is slow, or concurrency too low");
    return busy;
  }
  try {
    const content = await makeContent(endpoint, envelope, delivery, host.clock, end);
    if (content === undefined) {
      host.log.warn(fields, `message ${delivery.id} was not parsed in time: others took long`);
      return busy;
    }
    if ("fault" in content) {
      host.log.warn(fields, `message ${delivery.id} cannot be parsed: ${content.fault}`);
      return unreadable;
    }
    return await untilTaken({ host, endpoint, content, key: await keyOf(delivery), end, note: noteIn(host, fields) });
  } finally {
    leave();
  }
}

/** Who has to do something about it decides how loudly it is said. */
const noteIn =
  (host: Host, fields: { readonly transaction: string }): Call["note"] =>
  ({ why, fault, refusal }, tries) => {
    const { code = 250 } = refusal?.reply ?? {};
    const level = fault ? "error" : code < 500 ? "warn" : "info";
    host.log[level]({ ...fields, tries, code }, `message ${fields.transaction} was not taken: ${why}`);
  };

async function makeContent(
  { parser }: Endpoint,
  envelope: WebhookEnvelope,
  { message }: Delivery,
  clock: Clock,
  end: number,
): Promise<Content | { readonly fault: string } | undefined> {
  if (parser === undefined) return rawContent(envelope, message);
  const parsed = await parser.parse(() => message.bytes(), clock, end);
  return parsed === undefined || "fault" in parsed ? parsed : jsonContent(envelope, parsed.json);
}

async function untilTaken(call: Call): Promise<Refusal | undefined> {
  const { host, endpoint, end, note } = call;
  for (let tries = 1; ; tries += 1) {
    const answer = await tryOnce(call);
    const verdict = judge(answer, endpoint.rejects);
    if (verdict.refusal === undefined) return undefined;
    const pause = pauseAfter(answer, tries, host.clock.now());
    const over = tries > endpoint.retries || host.clock.now() + pause >= end || endpoint.lane.signal.aborted;
    if (!verdict.again || over) {
      note(verdict, tries);
      return verdict.refusal;
    }
    await new Promise<void>((resolve) => void host.clock.after(pause, resolve));
  }
}

/** Twice as long each time, and not all at the same moment. Never sooner than the endpoint asks for. */
function pauseAfter(answer: Answer, tries: number, now: number): number {
  const asked = answer.kind === "refused" ? readRetryAfter(answer.retryAfter, now) : 0;
  return Math.max(asked, firstPause * 2 ** (tries - 1) * (0.75 + Math.random() / 2));
}

async function tryOnce({ host, endpoint, content, key, end }: Call): Promise<Answer> {
  const { url, lane, secrets, headers } = endpoint;
  try {
    const signed = await sign(secrets, key, host.clock.now(), content);
    const timeout = Math.max(1, Math.min(endpoint.timeout, end - host.clock.now()));
    const fields = { "user-agent": "mailhost", ...headers, ...signed, "idempotency-key": key };
    const one = { url, agent: lane.agent, headers: fields, content, clock: host.clock, timeout, signal: lane.signal };
    const answer = await post(one);
    // A kept connection was closed at the other end meanwhile: that is no try
    return answer.kind === "failed" && answer.stale ? await post({ ...one, agent: lane.freshAgent }) : answer;
  } catch (error) {
    return { kind: "failed", error: new Error(describeError(error)), stale: false };
  }
}
