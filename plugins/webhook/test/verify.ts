// verify.ts
import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** Seconds a request may be old: an older one may be somebody's copy. */
const tolerance = 300;

/** Whether a request is mailhost's, unchanged and fresh. `body` is the octets as they came. */
export function verify(headers: IncomingHttpHeaders, body: Uint8Array, secret: string, now = Date.now()): boolean {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
  if (typeof id !== "string" || typeof timestamp !== "string" || typeof signatures !== "string") return false;
  if (!(Math.abs(now / 1000 - Number(timestamp)) <= tolerance)) return false;
  const mac = createHmac("sha256", Buffer.from(secret.replace("whsec_", ""), "base64"));
  const expected = mac.update(`${id}.${timestamp}.`).update(body).digest();
  return signatures.split(" ").some((signature) => {
    const given = Buffer.from(signature.replace("v1,", ""), "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}
