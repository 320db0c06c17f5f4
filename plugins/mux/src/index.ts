import {
  ConfigurationError,
  type Address,
  type Host,
  type PermitDeclaration,
  type Placement,
  type Plugin,
  type PluginDefinition,
  type RouteDeclaration,
  defer,
  definePlugin,
  isPostmaster,
  reject,
} from "@mailhost/core";
import { callHandler } from "./call.ts";
import { type MuxOptions, type Target, schema } from "./options.ts";
import { type Entry, Table } from "./table.ts";

export type { Envelope, EnvelopeRecipient, Handler } from "./envelope.ts";
export type { Form } from "./form.ts";
export type { MuxOptions, Target } from "./options.ts";

const unknownAddress = reject("No such address here", { code: 550, status: "5.1.1" });
const noHandler = defer("Nobody took the message", { code: 451, status: "4.3.5" });

/** A mux in the making: a plugin to which patterns can be added until the server is set up. */
export interface Mux extends Plugin {
  /**
   * Adds a route, as an entry of the option `routes` does. What is wrong with it is told with all other problems when
   * the server starts. Throws a ConfigurationError (TOO_LATE) once a server was set up with this mux.
   */
  handle(pattern: string, target: Target): this;
}

const definition: PluginDefinition<MuxOptions> = {
  name: "mux",
  version: "1.0.0",
  core: "^1.0.0",
  options: { schema, keys: Object.keys(schema.entries) },
  apply: (host, options) => route(host, options, []),
};

/** Routes `local@domain` patterns to transports and functions. */
function makeMux(options: MuxOptions = {}, placement: Placement = {}): Mux {
  const added: Entry[] = [];
  let sealed = false;
  // Each mux has its own apply, since options are data and functions are added behind them
  const make = definePlugin<MuxOptions>({
    ...definition,
    apply(host, checked) {
      route(host, checked, added);
      sealed = true;
    },
  });
  return Object.assign(make(options, placement), {
    handle(this: Mux, pattern: string, target: Target) {
      if (sealed) throw new ConfigurationError([tooLate(pattern)]);
      added.push({ pattern, target, where: `handle(${JSON.stringify(pattern)})` });
      return this;
    },
  });
}

/** Routes `local@domain` patterns to transports and functions; `*` stands for the whole of either part. */
export const mux = Object.assign(makeMux, definePlugin(definition));

export default mux;

function route(host: Host, options: MuxOptions, added: readonly Entry[]): void {
  const listed = Object.entries(options.routes ?? {}).map(([pattern, target]) => ({
    pattern,
    target,
    where: `options.routes.${pattern}`,
  }));
  const table = new Table([...listed, ...added], options, host.name);
  const catchAll = options.catchAll === true;
  host.extend({ permits: declare(table, catchAll), routes: transportsOf([...listed, ...added]) });
  judgeRecipients(host, table, catchAll);
  if (table.handlers.size > 0) callHandlers(host, table, options.timeout ?? 300_000);
}

function judgeRecipients(host: Host, table: Table, catchAll: boolean): void {
  host.hooks.rcpt.tap(host.name, (recipient, _transaction, session) => {
    const { address } = recipient;
    const { route: way, known } = table.find(address);
    // The server's own postmaster may go to the listener's default (RFC 5321 §4.5.1)
    if (way === undefined) return known && !isPostmaster(address, session.serverName) ? unknownAddress : undefined;
    if (known || catchAll) recipient.permit("local");
    if (known && !isRouted(address)) recipient.permit("relay");
    recipient.routeTo(way);
  });
}

/** `user%elsewhere.test@here.test` and its like ask the host behind a gateway to pass mail on: naming a domain does not permit that. */
const isRouted = ({ localPart }: Address): boolean => /[%!@:]/.test(localPart);

/** Functions are one transport of one phase: the call is the commit point, and there is one in a transaction. */
function callHandlers(host: Host, table: Table, timeout: number): void {
  host.extend({ transports: [{ kind: "local", phases: "one" }] });
  host.hooks.queue.for(host.name).tap(host.name, (delivery, session) => {
    const pattern = delivery.recipients[0]?.route.nexthop ?? "";
    const handler = table.handlers.get(pattern);
    if (handler === undefined) {
      host.log.error({}, `transport ${host.name} has no function for ${JSON.stringify(pattern)}`);
      return noHandler;
    }
    delivery.stage({
      commit: () => callHandler(host, table, { handler, pattern, delivery, session, timeout }),
      abort: () => {},
    });
  });
}

/** Transports that routes name: core knows which of them there are. */
const transportsOf = (entries: readonly Entry[]): RouteDeclaration[] =>
  entries.flatMap(({ target, where }) =>
    typeof target === "function" ? [] : [{ transport: typeof target === "string" ? target : target.transport, where }],
  );

function declare(table: Table, catchAll: boolean): PermitDeclaration[] {
  const named = table.domains.flatMap((domain): PermitDeclaration[] => [
    { kind: "local", what: `domain ${domain}` },
    { kind: "relay", what: `domain ${domain}` },
  ]);
  return catchAll && table.hasEveryDomain ? [...named, { kind: "local", what: "catchAll", anyDomain: true }] : named;
}

const tooLate = (pattern: string) =>
  ({
    code: "TOO_LATE",
    where: `handle(${JSON.stringify(pattern)})`,
    what: "the server this mux belongs to was set up already, so the route would have no effect",
    mend: "Add routes before listen; for new ones make a new mux and reload.",
  }) as const;
