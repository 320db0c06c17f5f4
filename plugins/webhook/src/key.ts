import { createHash, randomUUID } from "node:crypto";
import { type Delivery, formatAddress, sameName } from "@mailhost/core";

/**
 * The same for every try, and for a message that the client sends again because our 250 was lost: made of the envelope and of what
 * the client sent. A message with neither Message-ID nor Date gets a random one: its like, sent twice, may well be meant twice.
 */
export async function keyOf({ id, reversePath, recipients, message }: Delivery): Promise<string> {
  const received = message.fields.findIndex(
    ({ name, raw }) => sameName(name, "Received") && latin1(raw).includes(` id ${id}`),
  );
  // Core's Received, with the queue id and the time, and what plugins put above it differ in every transaction
  const [added, sent] = [message.fields.slice(0, received + 1), message.fields.slice(received + 1)];
  if (!sent.some(({ name }) => sameName(name, "Message-ID") || sameName(name, "Date"))) return randomUUID();
  const hash = createHash("sha256");
  const forward = recipients.map(({ address }) => formatAddress(address)).toSorted();
  hash.update(JSON.stringify([reversePath === null ? null : formatAddress(reversePath), forward]));
  let skip = added.reduce((octets, { raw }) => octets + raw.length, 0);
  for await (const chunk of message.open({ reuse: true })) {
    if (skip < chunk.length) hash.update(chunk.subarray(skip));
    skip = Math.max(0, skip - chunk.length);
  }
  return hash.digest("hex");
}

const latin1 = (octets: Uint8Array): string => Buffer.from(octets).toString("latin1");
