import { type Log, type Plugin, type TransportKind, definePlugin, formatAddress, reject } from "@mailhost/core";

/** A transport that notes who it was given, with the nexthop behind it. */
export function way(name: string, kind: TransportKind): Plugin & { readonly taken: string[] } {
  const taken: string[] = [];
  const make = definePlugin({
    name,
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      host.extend({ transports: [{ kind, phases: "two" }] });
      host.hooks.queue.for(name).tap(name, (delivery) => {
        const lines = delivery.recipients.map(({ address, route: { nexthop } }) =>
          [formatAddress(address), ...(nexthop === undefined ? [] : [nexthop])].join(" "),
        );
        delivery.stage({ commit: () => void taken.push(...lines), abort: () => {} });
      });
    },
  });
  return Object.assign(make(), { taken });
}

/** A transport that takes nothing. */
export const fullBox = definePlugin({
  name: "full",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host) {
    host.extend({ transports: [{ kind: "local", phases: "two" }] });
    host.hooks.queue.for("full").tap("full", () => reject("Mailbox full", { code: 552, status: "5.2.2" }));
  },
});

/** A log that keeps what is said. */
export function listening(): { readonly log: Log; readonly said: string[] } {
  const said: string[] = [];
  const say = (_fields: object, message: string): void => void said.push(message);
  return { log: { debug: say, info: say, warn: say, error: say }, said };
}
