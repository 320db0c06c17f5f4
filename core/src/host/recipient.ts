import { type Address, formatAddress } from "../protocol/address.ts";
import { replies } from "../protocol/replies.ts";
import type { Reply } from "../protocol/reply.ts";
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

/** What was said of a recipient, by one tap or by all. */
interface Said {
  local: boolean;
  relay: boolean;
  route: Route | undefined;
  /** One that differs from the first. */
  otherRoute: Route | undefined;
}

const nothingSaid = (): Said => ({ local: false, relay: false, route: undefined, otherRoute: undefined });

function addRoute(said: Said, route: Route): void {
  const { route: first } = said;
  if (first === undefined) said.route = route;
  else if (route.transport !== first.transport || route.nexthop !== first.nexthop) said.otherRoute ??= route;
}

/** What all taps together said of one recipient. */
export class RecipientCase implements Said, Lender<RecipientHandle> {
  readonly path: ForwardPath;
  local = false;
  relay = false;
  route: Route | undefined = undefined;
  otherRoute: Route | undefined = undefined;
  readonly shared: RecipientHandle;
  readonly #defaults: DefaultTransports;

  constructor(path: ForwardPath, defaults: DefaultTransports) {
    this.path = path;
    this.#defaults = defaults;
    this.shared = new RecipientHandle(this);
  }

  add({ local, relay, route, otherRoute }: Said): void {
    if (local) this.local = true;
    if (relay) this.relay = true;
    if (route !== undefined) addRoute(this, route);
    if (otherRoute !== undefined) addRoute(this, otherRoute);
  }

  /** The first route, else the default of a kind that is permitted. */
  get firstRoute(): Route | undefined {
    return this.route ?? defaultRoute(this, this.#defaults);
  }

  fresh(): RecipientHandle {
    return new RecipientHandle(this);
  }
}

const permitted = {
  local: Object.freeze({ kind: "permit", as: "local" }),
  relay: Object.freeze({ kind: "permit", as: "relay" }),
} as const satisfies Record<TransportKind, Edit>;

/** What a tap holds of a recipient. */
export class RecipientHandle extends Handle implements Recipient {
  readonly #case: RecipientCase;
  /** By the tap that holds it. Most say nothing. */
  #said: Said | undefined;

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
    return this.#said?.route ?? this.#case.firstRoute;
  }

  permit(kind: TransportKind): void {
    if (!this.alive) return;
    const said = (this.#said ??= nothingSaid());
    if (kind === "local") said.local = true;
    else if (kind === "relay") said.relay = true;
  }

  routeTo(route: Route): void {
    const transport: unknown = route?.transport;
    const nexthop: unknown = route?.nexthop;
    if (typeof transport !== "string" || (typeof nexthop !== "string" && nexthop !== undefined))
      throw new TypeError("routeTo wants { transport, nexthop? }, both of them text");
    if (this.alive) addRoute((this.#said ??= nothingSaid()), ownRoute(transport, nexthop));
  }

  protected edits(): readonly Edit[] {
    if (this.#said === undefined) return [];
    const { local, relay, route, otherRoute } = this.#said;
    const edits: Edit[] = [];
    if (local) edits.push(permitted.local);
    if (relay) edits.push(permitted.relay);
    if (route !== undefined) edits.push(routed(route));
    if (otherRoute !== undefined) edits.push(routed(otherRoute));
    return edits;
  }

  protected keep(): void {
    if (this.#said !== undefined) this.#case.add(this.#said);
    this.forget();
  }

  /** The next tap that says something says it there. */
  protected forget(): void {
    const said = this.#said;
    if (said === undefined) return;
    said.local = said.relay = false;
    said.route = said.otherRoute = undefined;
  }
}

let lastRoute: Route = Object.freeze({ transport: "", nexthop: undefined });

/** A route of our own that nobody can change. Whoever writes to many writes to many of one route, and they share it. */
function ownRoute(transport: string, nexthop: string | undefined): Route {
  if (transport !== lastRoute.transport || nexthop !== lastRoute.nexthop)
    lastRoute = Object.freeze({ transport, nexthop });
  return lastRoute;
}

const routeEdits = new WeakMap<Route, Edit>();

/** Shared as the route is. */
function routed(route: Route): Edit {
  const known = routeEdits.get(route);
  if (known !== undefined) return known;
  const edit: Edit = Object.freeze({ kind: "route", transport: route.transport, nexthop: route.nexthop });
  routeEdits.set(route, edit);
  return edit;
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

/** A recipient that may be accepted, and the transport it goes by; or what to answer, and what to say of it in the log. */
export type Judged =
  | { readonly value: AcceptedRecipient; readonly transport: Transport }
  | { readonly problem: Reply; readonly complaint?: string };

/** Judges what the taps left: permitted, routed, of one kind. All of it at RCPT, never after DATA (P5). */
export function judgeRecipient(subject: RecipientCase, transports: ReadonlyMap<string, Transport>): Judged {
  const { address, parameters } = subject.path;
  if (!subject.local && !subject.relay) return { problem: replies.relayDenied };
  const { firstRoute: route, otherRoute: other } = subject;
  if (route === undefined) return { problem: replies.unknownRecipient };
  if (other !== undefined)
    return { problem: replies.twoRoutes, complaint: `${isRouted(address, route)} and to ${describeRoute(other)}` };
  const transport = transports.get(route.transport);
  if (transport === undefined)
    return { problem: replies.unstaged, complaint: `${isRouted(address, route)}, which no plugin provides` };
  if (!subject[transport.kind]) return { problem: replies.relayDenied };
  return { value: Object.freeze({ address, parameters, kind: transport.kind, route }), transport };
}

const isRouted = (address: Address, route: Route): string =>
  `${formatAddress(address)} is routed to ${describeRoute(route)}`;

function defaultRoute({ local, relay }: Said, defaults: DefaultTransports): Route | undefined {
  if (local && defaults.local !== undefined) return ownRoute(defaults.local, undefined);
  if (relay && defaults.relay !== undefined) return ownRoute(defaults.relay, undefined);
  return undefined;
}
