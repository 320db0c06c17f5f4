import { type Plugin, definePlugin } from "@mailhost/core";

/** Permits every recipient and routes it to the maildir. */
export const everybody = (transport = "maildir", nexthop?: string): Plugin =>
  definePlugin({
    name: "everybody",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (host) =>
      host.hooks.rcpt.tap("everybody", (recipient) => {
        recipient.permit("local");
        recipient.routeTo({ transport, nexthop });
      }),
  })();
