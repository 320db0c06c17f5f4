import { type Opinion, type Session, type Soon, type TapCallback, definePlugin } from "@mailhost/core";
import { type LimitsOptions, schema } from "./options.ts";
import { deadlineOf, makeRules } from "./rules.ts";
import { Warden } from "./warden.ts";

export type { Excess, LimitReply, LimitsOptions, Per, Rate, Tarpit } from "./options.ts";
export type { StoreFactory, StoreLimiter, StoreOptions } from "./store.ts";

/** Rates and concurrency per address, network and identity, and waits for clients that do much wrong. */
export const limits = definePlugin<LimitsOptions>({
  name: "limits",
  version: "1.0.0",
  core: "^1.0.0",
  options: { schema, keys: Object.keys(schema.entries) },
  async apply(host, options) {
    const warden = new Warden(host, await makeRules(host, options));
    const tap = { name: "limits", stage: "first", deadline: deadlineOf(options) } as const;
    host.hooks.connect.tapAsync(tap, (session, _signal, done) => judge(session, done, () => warden.connect(session)));
    host.hooks.ehlo.tapAsync(tap, (_greeting, session, signal, done) =>
      judge(session, done, () => warden.ehlo(session, signal)),
    );
    host.hooks.auth.tapAsync({ ...tap, identifies: false }, ({ username }, session, signal, done) =>
      judge(session, done, () => warden.auth(username, session, signal)),
    );
    host.hooks.rcpt.tapAsync(tap, (_recipient, transaction, session, signal, done) =>
      judge(session, done, () => warden.rcpt(transaction, session, signal)),
    );
    host.onFault((session, fault) => {
      if (!session.dryRun) warden.fault(session, fault);
    });
    host.onSessionEnd((session) => warden.end(session));
  },
});

export default limits;

/** What is counted in memory is answered at once, within the group of commands it came with. What is only played does not count. */
function judge({ dryRun }: Session, done: TapCallback, ask: () => Soon<Opinion>): void {
  const answer = dryRun ? undefined : ask();
  if (answer instanceof Promise) answer.then((opinion) => done(undefined, opinion), done);
  else done(undefined, answer);
}
