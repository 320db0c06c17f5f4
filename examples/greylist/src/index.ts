import {
  type Address,
  type Host,
  type Session,
  type Transaction,
  defer,
  defineFact,
  definePlugin,
  makeNetworks,
} from "@mailhost/core";
import { resolve } from "node:path";
import { askList, isListed } from "./dns-list.ts";
import { Memory } from "./memory.ts";
import { type GreylistOptions, minute, rulesOf, schema } from "./options.ts";
import { Store } from "./store.ts";
import { triplet } from "./triplet.ts";

export type { GreylistOptions } from "./options.ts";

/** Milliseconds a message had to wait, about its transaction. Absent when it had not. */
export const waited = defineFact<number>("mailhost-plugin-greylist/waited");

/** Defers what a stranger sends until it comes again (RFC 6647): servers queue, most of what sends spam does not. */
export const greylist = definePlugin<GreylistOptions>({
  name: "greylist",
  version: "1.0.0",
  core: "^1.0.0",
  options: { schema, keys: Object.keys(schema.entries) },
  async apply(host, options) {
    const rules = rulesOf(options);
    const later = defer(`Greylisted, come again in ${Math.ceil(rules.wait / minute)} min`);
    const memory = await openMemory(host, options.file);
    const spared = makeNetworks(options.spare ?? []);
    if (options.spareListed !== undefined) askList(host, options.spareListed);

    const mustWait = (address: Address, transaction: Transaction, session: Session): boolean => {
      const { client, identity } = session;
      if (identity !== undefined || spared.has(client.address) || isListed(session)) return false;
      if (address.localPart.toLowerCase() === "postmaster") return false; // RFC 5321 §4.5.1
      const key = triplet(client.address, transaction.reversePath, address);
      const milliseconds = memory.meet(key, host.clock.now(), rules);
      if (milliseconds === undefined) return true;
      if (milliseconds > 0) waited.set(transaction, Math.max(milliseconds, waited.of(transaction) ?? 0));
      return false;
    };

    // Last: who is refused anyway is not remembered
    host.hooks.rcpt.tap({ name: "greylist", stage: "last" }, ({ address, route }, transaction, session) => {
      // Servers that only ask whether an address exists say <> and leave before DATA: they are not to wait
      if (route === undefined || transaction.reversePath === null) return;
      if (mustWait(address, transaction, session)) return later;
    });
    host.hooks.data.tap("greylist", (message, transaction, session) => {
      if (transaction.reversePath === null) {
        const early = transaction.recipients.filter(({ address }) => mustWait(address, transaction, session));
        if (early.length > 0) return later;
      }
      const milliseconds = waited.of(transaction);
      if (milliseconds === undefined) return;
      const seconds = Math.round(milliseconds / 1000);
      message.addField("X-Greylist", `delayed ${seconds} seconds at ${session.serverName}`);
      host.log.info({ session: session.id, transaction: transaction.id, seconds }, `came back after ${seconds} s`);
    });
  },
});

export default greylist;

/** One for all listeners, and across reloads. */
async function openMemory(host: Host, file: string | undefined): Promise<Memory> {
  if (file === undefined) return host.shared("memory", () => new Memory());
  const path = resolve(file);
  const open = (): Promise<Store> => Store.open(path, host);
  const store = await host.shared(`file ${path}`, open, (one) => one.close());
  return store.memory;
}
