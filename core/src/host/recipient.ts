import { formatAddress } from "../protocol/address.ts";
import type { Outcome } from "../protocol/machine.ts";
import { replies } from "../protocol/replies.ts";
import type { AcceptedRecipient, ForwardPath, Route, TransportKind } from "../protocol/session.ts";
import { describeRoute, type Edit } from "./edit.ts";
import { Handle, type Lender } from "./handle.ts";

/** A forward-path on its way to acceptance. Somebody must permit it, somebody must route it. */
export interface Recipient extends ForwardPath {
  /**
   * Where it goes as things stand: what earlier taps and this one said, else the listener's default.
   * A transport judges here, in stage `last`, what it could not take: never after DATA.
   */
  readonly route: Route | undefined;
  /** Says that mail for this recipient may be stored here, or passed on. Permit and the kind of its transport must agree. */
  permit(kind: TransportKind): void;
  /**
   * Names the transport, and its target. A second, different route is an error of the configuration.
   * Throws a TypeError on what is no route.
   */
  routeTo(route: Route): void;
}

/** What all taps together said of one recipient. */
export class RecipientCase implements Lender<RecipientHandle> {
  readonly path: ForwardPath;
  readonly permits = new Set<TransportKind>();
  readonly routes: Route[] = [];
  readonly shared: RecipientHandle;
  readonly #defaults: DefaultTransports;

  constructor(path: ForwardPath, defaults: DefaultTransports) {
    this.path = path;
    this.#defaults = defaults;
    this.shared = new RecipientHandle(this);
  }

  /** The first route, else the default of a kind that is permitted. */
  get route(): Route | undefined {
    return this.routes[0] ?? defaultRoute(this.permits, this.#defaults);
  }

  fresh(): RecipientHandle {
    return new RecipientHandle(this);
  }
}

/** What a tap holds of a recipient. */
export class RecipientHandle extends Handle implements Recipient {
  readonly #case: RecipientCase;
  #permits: TransportKind[] = [];
  #routes: Route[] = [];

  constructor(of: RecipientCase) {
    super();
    this.#case = of;
    Object.freeze(this);
  }

  static {
    Object.freeze(this.prototype);
  }

  get address(): ForwardPath["address"] {
    return this.#case.path.address;
  }

  get parameters(): ForwardPath["parameters"] {
    return this.#case.path.parameters;
  }

  get route(): Route | undefined {
    return this.#routes[0] ?? this.#case.route;
  }

  permit(kind: TransportKind): void {
    if (this.alive) this.#permits.push(kind);
  }

  routeTo(route: Route): void {
    const nexthop: unknown = route?.nexthop;
    if (typeof route?.transport !== "string" || (typeof nexthop !== "string" && nexthop !== undefined))
      throw new TypeError("routeTo wants { transport, nexthop? }, both of them text");
    if (this.alive) this.#routes.push(Object.freeze({ transport: route.transport, nexthop: route.nexthop }));
  }

  protected edits(): readonly Edit[] {
    return [
      ...this.#permits.map((as): Edit => ({ kind: "permit", as })),
      ...this.#routes.map(({ transport, nexthop }): Edit => ({ kind: "route", transport, nexthop })),
    ];
  }

  protected keep(): void {
    for (const kind of this.#permits) this.#case.permits.add(kind);
    for (const route of this.#routes) this.#case.routes.push(route);
    this.forget();
  }

  protected forget(): void {
    if (this.#permits.length > 0) this.#permits = [];
    if (this.#routes.length > 0) this.#routes = [];
  }
}

/** Where recipients go that nobody routed. Nothing is a default by being alone. */
export interface DefaultTransports {
  readonly local?: string | undefined;
  readonly relay?: string | undefined;
}

/** A way out, as its owner declared it. */
export interface Transport {
  readonly name: string;
  readonly kind: TransportKind;
  /** `one`: its commit cannot be undone or staged (a function, a webhook). A transaction holds one such call. */
  readonly phases: "one" | "two";
  /** Plugin that declared it: only it may stage. */
  readonly owner: string;
}

/** Judges what the taps left: permitted, routed, of one kind. All of it at RCPT, never after DATA (P5). */
export function judgeRecipient(
  { path, permits, routes, route }: RecipientCase,
  transports: ReadonlyMap<string, Transport>,
  complain: (what: string) => void,
): Outcome<AcceptedRecipient> {
  if (permits.size === 0) return { problem: replies.relayDenied };
  if (route === undefined) return { problem: replies.unknownRecipient };
  const other =
    routes.length < 2
      ? undefined
      : routes.find((one) => one.transport !== route.transport || one.nexthop !== route.nexthop);
  if (other !== undefined) {
    complain(`${formatAddress(path.address)} is routed to ${describeRoute(route)} and to ${describeRoute(other)}`);
    return { problem: replies.twoRoutes };
  }
  const transport = transports.get(route.transport);
  if (transport === undefined) {
    complain(`${formatAddress(path.address)} is routed to ${describeRoute(route)}, which no plugin provides`);
    return { problem: replies.unstaged };
  }
  if (!permits.has(transport.kind)) return { problem: replies.relayDenied };
  const { address, parameters } = path;
  return { value: Object.freeze({ address, parameters, kind: transport.kind, route }) };
}

function defaultRoute(permits: ReadonlySet<TransportKind>, defaults: DefaultTransports): Route | undefined {
  if (permits.has("local") && defaults.local !== undefined) return Object.freeze({ transport: defaults.local });
  if (permits.has("relay") && defaults.relay !== undefined) return Object.freeze({ transport: defaults.relay });
  return undefined;
}
