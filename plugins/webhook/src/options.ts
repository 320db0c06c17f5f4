import { validateHeaderName, validateHeaderValue } from "node:http";
import * as v from "valibot";

export interface WebhookOptions {
  /** Where messages are POSTed: https, or http to this machine. */
  readonly url: string;
  /** `raw`: multipart/form-data with the envelope and the message as it is. `json`: the envelope and the parsed message. */
  readonly format?: "raw" | "json" | undefined;
  /** More header fields for every request, such as authorization. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** `whsec_` and base64. Requests are signed with each: two while one takes the other's place. */
  readonly secret?: string | readonly string[] | undefined;
  /** Milliseconds for one try, from the connection to the status. */
  readonly timeout?: number | undefined;
  /** Tries after the first. */
  readonly retries?: number | undefined;
  /** Milliseconds for everything: waiting for a turn, tries and pauses. The client waits ten minutes at most. */
  readonly patience?: number | undefined;
  /** Requests at a time; other messages wait for their turn. */
  readonly concurrency?: number | undefined;
  /** Largest message that is parsed for `json`. */
  readonly maxJsonOctets?: number | undefined;
  /** Statuses that refuse the message for good. */
  readonly reject?: readonly number[] | undefined;
  /** Path of a PEM file: certificates to trust instead of the well-known authorities. */
  readonly ca?: string | undefined;
  /** Permits http to other machines: mail can then be read and changed on the way. */
  readonly allowInsecure?: boolean | undefined;
}

/** Fields that are the plugin's to set, or that frame the request. */
const ours =
  /^(?:content-(?:type|length)|transfer-encoding|connection|keep-alive|expect|upgrade|te|trailer|idempotency-key|webhook-(?:id|timestamp|signature))$/i;

const passes = (validate: () => void): boolean => {
  try {
    validate();
    return true;
  } catch {
    return false;
  }
};

const name = v.pipe(
  v.string(),
  v.check((text) => passes(() => validateHeaderName(text)), "not the name of a header field"),
  v.check((text) => !ours.test(text), "this field is set by the plugin"),
);
// The messages never hold the value: it may be a password
const value = v.pipe(
  v.string("the value of a header field is text"),
  v.check((text) => passes(() => validateHeaderValue("x", text)), "not the value of a header field"),
);

/** The form and the lengths of https://www.standardwebhooks.com, 24 to 64 octets. */
const secret = v.pipe(
  v.string("a secret is text"),
  v.check((text) => {
    const octets = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1];
    const { length } = Buffer.from(octets ?? "", "base64");
    return length >= 24 && length <= 64;
  }, 'a secret is whsec_ and 24 to 64 octets in base64; make one with: echo "whsec_$(openssl rand -base64 32)"'),
);

const url = v.pipe(
  v.string("the URL is text"),
  v.check(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    "not a URL that begins with https://",
  ),
);

const milliseconds = v.pipe(v.number(), v.integer(), v.minValue(1));
/** RFC 5321 §4.5.3.2.6: the client waits ten minutes for the reply to a message. */
const patience = v.pipe(milliseconds, v.maxValue(540_000, "at most 540000: the client waits ten minutes"));
const count = v.pipe(v.number(), v.integer());

export const schema = v.strictObject({
  url,
  format: v.optional(v.picklist(["raw", "json"])),
  headers: v.optional(v.record(name, value)),
  secret: v.optional(v.union([secret, v.pipe(v.array(secret), v.minLength(1))], "one secret or a list of them")),
  timeout: v.optional(patience),
  retries: v.optional(v.pipe(count, v.minValue(0), v.maxValue(20))),
  patience: v.optional(patience),
  concurrency: v.optional(v.pipe(count, v.minValue(1), v.maxValue(1000))),
  maxJsonOctets: v.optional(v.pipe(count, v.minValue(1), v.maxValue(100 * 1024 * 1024))),
  reject: v.optional(v.array(v.pipe(count, v.minValue(400), v.maxValue(499)))),
  ca: v.optional(v.pipe(v.string(), v.nonEmpty("a path is needed"))),
  allowInsecure: v.optional(v.boolean()),
});
