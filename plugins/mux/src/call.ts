import {
  type Delivery,
  type Host,
  type Refusal,
  type Session,
  defer,
  isRefusal,
  quotable,
  rejectWith,
  storageReply,
} from "@mailhost/core";
import type { Envelope, Handler } from "./envelope.ts";
import { tagOf } from "./form.ts";
import type { Table } from "./table.ts";

const tookTooLong = defer("The message could not be taken in time", { code: 451, status: "4.3.0" });

/** What a handler is called with, and how long it may take. */
interface Call {
  readonly handler: Handler;
  /** The pattern it stands under. */
  readonly pattern: string;
  readonly delivery: Delivery;
  readonly session: Session;
  readonly timeout: number;
}

/** Calls the handler once. Resolves to what the client is told, never rejects. */
export async function callHandler(host: Host, table: Table, call: Call): Promise<Refusal | undefined> {
  const { handler, pattern, delivery, session, timeout } = call;
  const controller = new AbortController();
  const fields = { session: session.id, transaction: delivery.id, pattern };
  const envelope = makeEnvelope(delivery, session, table, controller.signal);
  const first = await new Promise<Result | typeof tooLate>((resolve) => {
    const cancel = host.clock.after(timeout, () => resolve(tooLate));
    const finish = (result: Result): void => {
      cancel();
      resolve(result);
    };
    // Looking at what was thrown can throw again: a getter, a proxy
    settle(handler, envelope).then(finish, (error: unknown) => finish({ refusal: internal(undefined), error }));
  });
  if (first === tooLate) {
    controller.abort(new Error(`no answer within ${timeout} ms`));
    host.log.error(fields, `the handler of ${pattern} did not answer within ${timeout} ms`);
    return tookTooLong;
  }
  const { refusal, error } = first;
  if (error !== undefined)
    host.log.error({ ...fields, err: error }, `the handler of ${pattern} failed: ${told(error)}`);
  return refusal;
}

const tooLate = Symbol("too late");

/** What came of a call. `error` is for the log. */
interface Result {
  readonly refusal?: Refusal | undefined;
  readonly error?: unknown;
}

async function settle(handler: Handler, envelope: Envelope): Promise<Result> {
  try {
    const opinion: unknown = await handler(envelope);
    if (opinion === undefined || opinion === null) return {};
    if (isRefusal(opinion)) return { refusal: opinion };
    const error = new TypeError(`it returned a ${typeof opinion} instead of a refusal or nothing`);
    return { refusal: internal(error), error };
  } catch (error) {
    const refusal = refusalOf(error);
    return refusal === undefined
      ? { refusal: internal(error), error: error ?? new Error("nothing was thrown") }
      : { refusal };
  }
}

const internal = (error: unknown): Refusal => rejectWith(storageReply(error));

/** A reply that the thrown thing carries itself. */
function refusalOf(error: unknown): Refusal | undefined {
  if (isRefusal(error)) return error;
  if (!(error instanceof Error) || !("responseCode" in error)) return undefined;
  const code = error.responseCode;
  // x5z is what the mail system says of itself (RFC 5321 §4.2.1). A 535 or 421 of another server is not for this client
  if (typeof code !== "number" || !/^[45]5\d$/.test(String(code))) return undefined;
  const text = quotable(error.message.trim(), 400);
  return rejectWith({ code, status: code < 500 ? "4.0.0" : "5.0.0", text: text === "" ? "Refused" : text });
}

function told(error: unknown): string {
  return error instanceof Error ? error.message : typeof error;
}

function makeEnvelope(delivery: Delivery, session: Session, table: Table, signal: AbortSignal): Envelope {
  const { id, reversePath, message } = delivery;
  return {
    id,
    reversePath,
    recipients: delivery.recipients.map((recipient) => {
      const { localPart, domain } = recipient.address;
      return { ...recipient, tag: tagOf(localPart, table.formOf(domain)) };
    }),
    message,
    session,
    signal,
    text: async () => new TextDecoder().decode(await message.bytes()),
  };
}
