import { defer, definePlugin, formatAddress, parseAddress } from "@mailhost/core";
import * as v from "valibot";
import { isOpen } from "./hours.ts";

const hour = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(24));
const address = v.pipe(
  v.string(),
  v.check((text) => parseAddress(text) !== undefined, "an address like sales@example.com is needed"),
);

const schema = v.strictObject({
  addresses: v.array(address),
  /** Hours in UTC. */
  from: v.optional(hour),
  to: v.optional(hour),
});

export type OfficeHoursOptions = v.InferOutput<typeof schema>;

const closed = defer("The office is closed, try again in the morning", { code: 450, status: "4.2.1" });

/** Mail for these addresses waits in the sender's queue until somebody is there. */
export const officeHours = definePlugin<OfficeHoursOptions>({
  name: "office-hours",
  version: "2.1.0",
  core: "^1.0.0",
  options: { schema, keys: Object.keys(schema.entries) },
  apply(host, { addresses, from = 8, to = 18 }) {
    const listed = new Set(addresses.flatMap(canonical));
    host.hooks.rcpt.tap({ name: "office-hours", stage: "last" }, (recipient) => {
      if (listed.has(formatAddress(recipient.address)) && !isOpen(host.clock.now(), { from, to })) return closed;
    });
  },
});

export default officeHours;

/** As addresses arrive from the wire: the domain in A-labels. The schema has passed them. */
function canonical(text: string): string[] {
  const parsed = parseAddress(text);
  return parsed === undefined ? [] : [formatAddress(parsed)];
}
