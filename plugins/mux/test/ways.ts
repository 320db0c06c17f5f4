import { type Log, type Plugin, type TransportKind, definePlugin, formatAddress } from "@mailhost/core";

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

/** A log that keeps what is said. */
export function listening(): { readonly log: Log; readonly said: string[] } {
  const said: string[] = [];
  const say = (_fields: object, message: string): void => void said.push(message);
  return { log: { debug: say, info: say, warn: say, error: say }, said };
}
