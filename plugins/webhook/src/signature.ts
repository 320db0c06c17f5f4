import { createHmac } from "node:crypto";
import type { Content } from "./content.ts";

/** Secrets as octets. */
export const readSecrets = (secrets: string | readonly string[] = []): Buffer[] =>
  [secrets].flat().map((text) => Buffer.from(text.replace(/^whsec_/, ""), "base64"));

/**
 * Header fields of the Standard Webhooks specification (https://www.standardwebhooks.com): HMAC-SHA256 over key, seconds since the
 * epoch and body, divided by dots; one signature for each secret.
 */
export async function sign(
  secrets: readonly Buffer[],
  key: string,
  now: number,
  content: Content,
): Promise<Record<string, string>> {
  const timestamp = String(Math.floor(now / 1000));
  const fields = { "webhook-id": key, "webhook-timestamp": timestamp };
  if (secrets.length === 0) return fields;
  const macs = secrets.map((secret) => createHmac("sha256", secret).update(`${key}.${timestamp}.`));
  for await (const chunk of content.open()) for (const mac of macs) mac.update(chunk);
  return { ...fields, "webhook-signature": macs.map((mac) => `v1,${mac.digest("base64")}`).join(" ") };
}
