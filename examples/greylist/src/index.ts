import {
  type Address,
  type Host,
  type Session,
  type Transaction,
  ConfigurationError,
  defer,
  defineFact,
  definePlugin,
  makeNetworks,
} from "@mailhost/core";
import { resolve } from "node:path";
import { isListed } from "./dns-list.ts";
import { Memory, type Rules } from "./memory.ts";
import { type GreylistOptions, schema } from "./options.ts";
import { Store } from "./store.ts";
import { triplet } from "./triplet.ts";

export type { GreylistOptions } from "./options.ts";

/** Milliseconds a message had to wait, about its transaction. Absent when it had not. */
export const waited = defineFact<number>("mailhost-plugin-greylist/waited");

const minute = 60_000;
const day = 24 * 60 * minute;
const listedClient = defineFact<boolean>("mailhost-plugin-greylist/listed-client");
const neverInTime = new ConfigurationError([
  {
    code: "BAD_OPTION",
    where: "options.window",
    what: "window ends before wait is over: nobody could come in time",
    mend: "Make it a few days.",
  },
]);

/** Defers what a stranger sends until it comes again (RFC 6647): servers queue, most of what sends spam does not. */
export const greylist = definePlugin<GreylistOptions>({
  name: "greylist",
  version: "1.0.0",
  core: "^1.0.0",
  options: { schema, keys: Object.keys(schema.entries) },
  async apply(host, options) {
    const { wait = 5 * minute, window = 2 * day, keep = 36 * day, most = 100_000 } = options;
    const { spare = [], spareListed, file } = options;
    if (window <= wait) throw neverInTime;
    const rules: Rules = { wait, window, keep, most };
    const later = defer(`Greylisted, come again in ${Math.ceil(wait / minute)} min`);
    const memory = await openMemory(host, file);
    const spared = makeNetworks(spare);

    const isSpared = ({ localPart }: Address, session: Session): boolean =>
      session.identity !== undefined ||
      spared.has(session.client.address) ||
      listedClient.of(session) === true ||
      localPart.toLowerCase() === "postmaster"; // RFC 5321 §4.5.1

    const mustWait = (address: Address, transaction: Transaction, session: Session): boolean => {
      if (isSpared(address, session)) return false;
      const key = triplet(session.client.address, transaction.reversePath, address);
      const milliseconds = memory.meet(key, host.clock.now(), rules);
      if (milliseconds === undefined) return true;
      if (milliseconds > 0) waited.set(transaction, Math.max(milliseconds, waited.of(transaction) ?? 0));
      return false;
    };

    if (spareListed !== undefined)
      // Asked again after STARTTLS, when a new session has begun
      host.hooks.ehlo.tapPromise(
        { name: "dns list", deadline: 5000, onFailure: "ignore" },
        async (_greeting, session) => {
          listedClient.set(session, await isListed(host.resolver, spareListed, session.client.address));
        },
      );

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
