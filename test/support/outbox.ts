import { type Plugin, definePlugin, formatAddress } from "@mailhost/core";

/** A relay transport named `outbox`: keeps the recipients whose mail would leave for other hosts. */
export function outbox(): Plugin & { readonly sent: string[] } {
  const sent: string[] = [];
  const make = definePlugin({
    name: "outbox",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      host.extend({ transports: [{ kind: "relay", phases: "two" }] });
      host.hooks.queue.for("outbox").tap("outbox", (delivery) => {
        const recipients = delivery.recipients.map(({ address }) => formatAddress(address));
        delivery.stage({ commit: () => void sent.push(...recipients), abort: () => {} });
      });
    },
  });
  return Object.assign(make(), { sent });
}
