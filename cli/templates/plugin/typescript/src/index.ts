import { canonicalDomain, definePlugin, reject } from "@mailhost/core";
import * as v from "valibot";

/** What a configuration may say. */
export interface Options {
  /** Domains of senders whose mail is refused. */
  readonly domains: readonly string[];
}

const domain = v.pipe(
  v.string(),
  v.check((given) => canonicalDomain(given) !== undefined, "this is no domain like example.com"),
);
const schema = v.strictObject({ domains: v.array(domain) });

const notFromThere = reject("Mail from there is not taken here", { code: 550, status: "5.7.1" });

/** Refuses mail from listed domains. */
export default definePlugin<Options>({
  name: "__name__",
  version: "0.1.0",
  core: "__core__",
  options: { schema, keys: Object.keys(schema.entries) },
  apply(host, options) {
    const listed = new Set(options.domains.map(canonicalDomain));
    host.hooks.rcpt.tap("__name__", (recipient, { reversePath }) => {
      // <> is the sender of reports, which must get through (RFC 5321 §4.5.5)
      if (reversePath === null) return;
      // Whoever is refused can still ask why (RFC 5321 §4.5.1)
      if (recipient.address.localPart.toLowerCase() === "postmaster") return;
      if (listed.has(reversePath.domain)) return notFromThere;
    });
  },
});
