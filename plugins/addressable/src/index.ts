import {
  type Address,
  type Opinion,
  type PermitDeclaration,
  type Recipient,
  type Session,
  type Transaction,
  definePlugin,
  formatAddress,
  isPostmaster,
  isRefusal,
  makeNetworks,
  reject,
} from "@mailhost/core";
import { AddressSet, makeDirectory } from "./directory.ts";
import { type Accept, type AddressableOptions, schema } from "./options.ts";

export type { Accept, AddressableOptions } from "./options.ts";

const unknownAddress = reject("No such address here", { code: 550, status: "5.1.1" });
const notAccepted = reject("Recipient not accepted", { code: 550, status: "5.7.1" });
const notYourAddress = reject("Sender address is not yours", { code: 553, status: "5.7.1" });

/** Says who may send to which address. What nobody permits is refused by core, so without this or mux nothing is taken. */
export const addressable = definePlugin<AddressableOptions>({
  name: "addressable",
  version: "1.0.0",
  core: "^1.0.0",
  options: { schema, keys: Object.keys(schema.entries) },
  apply(host, options) {
    host.extend({ permits: declare(options) });
    const judge = makeJudge(options);
    const { accept } = options;
    if (accept === undefined) host.hooks.rcpt.tap("addressable", judge);
    else
      host.hooks.rcpt.tapPromise(
        "addressable",
        async (recipient, transaction, session) =>
          judge(recipient, transaction, session) ?? (await ask(accept, recipient, session)),
      );
  },
});

export default addressable;

type Judge = (recipient: Recipient, transaction: Transaction, session: Session) => Opinion;

function makeJudge(options: AddressableOptions): Judge {
  const directory = makeDirectory(options);
  const { identities = false, networks: listed = [] } = options.relay ?? {};
  const networks = makeNetworks(listed);
  const owns = makeOwnership(options);
  const mayRelay = ({ identity, client }: Session): boolean =>
    (identities && identity !== undefined) || networks.has(client.address);
  return (recipient, { reversePath }, session) => {
    if (session.identity !== undefined && !owns(session.identity.name, reversePath)) return notYourAddress;
    const { address } = recipient;
    const named = directory.namesDomain(address.domain);
    const missing = !named && directory.knowsDomain(address.domain) && !directory.namesAddress(address);
    // Postmaster is permitted by core, and nobody may refuse it (RFC 5321 §4.5.1)
    if (missing && !isPostmaster(address, session.serverName)) return unknownAddress;
    if (options.catchAll === true) recipient.permit("local");
    if (mayRelay(session)) recipient.permit("relay");
    if (!named && !directory.namesAddress(address)) return;
    recipient.permit("local");
    if (!isRouted(address) || mayRelay(session)) recipient.permit("relay");
  };
}

/** `user%elsewhere.test@here.test` and its like ask the host behind a gateway to pass mail on: a stranger may not. */
const isRouted = ({ localPart }: Address): boolean => /[%!@:]/.test(localPart);

async function ask(accept: Accept, recipient: Recipient, { identity, serverName }: Session): Promise<Opinion> {
  const { address } = recipient;
  if (isPostmaster(address, serverName)) return;
  const answer: unknown = await accept(identity?.name, formatAddress(address));
  if (answer === undefined) return;
  if (isRefusal(answer)) return answer;
  if (answer === false) return notAccepted;
  if (answer !== true) throw new TypeError("accept returned neither true nor false, nor a refusal, nor nothing");
  recipient.permit("local");
  if (identity !== undefined) recipient.permit("relay");
}

/** The null reverse-path is everybody's: reports of delivery and of reading are sent with it. */
function makeOwnership({ senders, separator = "+" }: AddressableOptions) {
  if (senders === undefined) return () => true;
  const owned = new Map(Object.entries(senders).map(([name, own]) => [name, new AddressSet(own, separator)]));
  return (name: string, reversePath: Address | null): boolean =>
    reversePath === null || owned.get(name)?.has(reversePath) === true;
}

function declare({ domains = [], addresses = [], accept, relay, catchAll }: AddressableOptions): PermitDeclaration[] {
  const named = [...domains.map((domain) => `domain ${domain}`), ...addresses.map((address) => `address ${address}`)];
  const local = accept === undefined ? named : [...named, "function accept, asked for every recipient"];
  const passed = [
    ...named,
    ...(accept === undefined ? [] : ["function accept, for identities"]),
    ...(relay?.identities === true ? ["identities"] : []),
    ...(relay?.networks ?? []).map((network) => `network ${network}`),
  ];
  return [
    ...local.map((what) => ({ kind: "local", what }) as const),
    ...(catchAll === true ? [{ kind: "local", what: "catchAll", anyDomain: true } as const] : []),
    ...passed.map((what) => ({ kind: "relay", what }) as const),
  ];
}
