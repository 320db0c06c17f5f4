import http from "node:http";
import https from "node:https";
import { pipeline } from "node:stream/promises";
import { type Clock, describeError, errorCode } from "@mailhost/core";
import type { Content } from "./content.ts";

/** One try. */
export interface Try {
  readonly url: URL;
  readonly agent: http.Agent;
  readonly headers: Readonly<Record<string, string>>;
  readonly content: Content;
  readonly clock: Clock;
  /** Milliseconds until the answer. */
  readonly timeout: number;
  readonly signal: AbortSignal;
}

/** What came of a try. */
export type Answer =
  /** 2xx: the endpoint has the message. */
  | { readonly kind: "taken" }
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly type: string;
      readonly retryAfter: string | undefined;
      /** The first octets of the body, as text. */
      readonly text: string;
    }
  /** No status. `stale`: the endpoint had closed a kept connection, and has seen nothing. */
  | { readonly kind: "failed"; readonly error: Error; readonly stale: boolean };

/** An answer may be longer; nobody reads the rest. */
const answerOctets = 16 * 1024;
/** What is read of an answer nobody needs, so that the connection can be kept. */
const discardedOctets = 64 * 1024;
const discardMilliseconds = 5000;

/** POSTs once. Follows no redirect. Never rejects. */
export async function post(one: Try): Promise<Answer> {
  const { content, clock, timeout, signal } = one;
  const request = begin(one);
  const giveUp = (): void => void request.destroy(new Error("the server closed"));
  const cancel = clock.after(timeout, () => request.destroy(new Error(`no answer within ${timeout} ms`)));
  signal.addEventListener("abort", giveUp);
  let responded = false;
  request.on("response", () => (responded = true));
  const answered = responseTo(request);
  const sent = pipeline(content.open(), request);
  sent.catch((error: Error) => request.destroy(error));
  if (signal.aborted) giveUp();
  try {
    const response = await answered;
    if (!isSuccess(response)) return await readRefusal(response);
    // The octets still under way belong to the message: who has not read them has not stored them (P9)
    await sent;
    discard(response, clock);
    return { kind: "taken" };
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(describeError(error));
    return { kind: "failed", error: failure, stale: request.reusedSocket && !responded && isReset(failure) };
  } finally {
    cancel();
    signal.removeEventListener("abort", giveUp);
    // A refusal that came early: the rest is not wanted
    if (!request.writableFinished) request.destroy();
  }
}

function begin({ url, agent, headers, content }: Try): http.ClientRequest {
  const { request: open } = url.protocol === "https:" ? https : http;
  const fields = { ...headers, "content-type": content.type, "content-length": String(content.octets) };
  return open(url, { method: "POST", agent, headers: fields });
}

const responseTo = (request: http.ClientRequest): Promise<http.IncomingMessage> =>
  new Promise((resolve, reject) => {
    request.on("response", resolve).on("error", reject);
    // Neither may come: an upgrade nobody asked for, a destroyed request
    request.on("close", () => reject(new Error("the connection closed without an answer")));
  });

const isReset = (error: Error): boolean => ["ECONNRESET", "EPIPE"].includes(errorCode(error));

const isSuccess = ({ statusCode = 0 }: http.IncomingMessage): boolean => statusCode >= 200 && statusCode < 300;

async function readRefusal(response: http.IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let octets = 0;
  try {
    for await (const chunk of response) {
      chunks.push(chunk);
      octets += chunk.length;
      if (octets > answerOctets) break; // destroys the response, and the connection with it
    }
  } catch {
    chunks.length = 0; // cut off: the status alone counts
  }
  const { statusCode: status = 0, headers } = response;
  const text = octets > answerOctets ? "" : Buffer.concat(chunks).toString();
  return { kind: "refused", status, type: headers["content-type"] ?? "", retryAfter: headers["retry-after"], text };
}

/** Reads a little, so that the connection can serve again; what is longer or slower costs the connection. */
function discard(response: http.IncomingMessage, clock: Clock): void {
  let octets = 0;
  const cancel = clock.after(discardMilliseconds, () => response.destroy());
  response.on("data", (chunk: Buffer) => {
    octets += chunk.length;
    if (octets > discardedOctets) response.destroy();
  });
  response.on("error", () => {}).on("close", cancel);
}
