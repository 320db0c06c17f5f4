import { type Opinion, type Session, definePlugin, disconnect, makeNetworks } from "@mailhost/core";
import { type EarlyTalkerOptions, schema } from "./options.ts";

export type { EarlyTalkerOptions } from "./options.ts";

/** RFC 5321 §3.1: 554 in place of the greeting. */
const tooEarly = disconnect("You spoke before the greeting", { code: 554, status: "5.5.1" });

/** Milliseconds a busy process may be late before the wait counts as a failure. */
const leeway = 10_000;

const thisMachine = ["127.0.0.0/8", "::1"];

/** Lets clients wait for the greeting, and refuses those that speak before it (RFC 5321 §4.3.1). */
export const earlyTalker = definePlugin<EarlyTalkerOptions>({
  name: "early-talker",
  version: "1.0.0",
  core: "^1.0.0",
  options: { schema, keys: Object.keys(schema.entries) },
  apply(host, { wait = 2000, action = "reject", exempt = thisMachine, modes = ["transfer"] }) {
    if (!modes.includes(host.listener.mode)) return;
    const exempted = makeNetworks(exempt);
    const judge = ({ id, client, spokeEarly }: Session): Opinion => {
      if (!spokeEarly) return;
      if (action === "reject") return tooEarly;
      host.log.info({ session: id, client: client.address }, `${client.address} spoke before the greeting`);
    };
    // Last: who is refused anyway need not wait, and what others waited counts
    const place = { name: "early-talker", stage: "last", deadline: wait + leeway } as const;
    host.hooks.connect.tapAsync(place, (session, signal, callback) => {
      if (exempted.has(session.client.address)) return callback();
      const left = session.startedAt + wait - host.clock.now();
      if (session.spokeEarly || left <= 0) return callback(undefined, judge(session));
      const cancel = host.clock.after(left, () => callback(undefined, judge(session)));
      signal.addEventListener("abort", () => {
        cancel();
        callback(signal.reason);
      });
    });
  },
});

export default earlyTalker;
