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

/** What was said of a recipient, by one tap or by all. */
class Said {
  local = false;
  relay = false;
  route: Route | undefined;
  /** One that differs from the first. */
  otherRoute: Route | undefined;

  permit(kind: TransportKind): void {
    if (kind === "local") this.local = true;
    else if (kind === "relay") this.relay = true;
  }

  routeTo(route: Route): void {
    const { route: first } = this;
    if (first === undefined) this.route = route;
    else if (route.transport !== first.transport || route.nexthop !== first.nexthop) this.otherRoute ??= route;
  }

  add({ local, relay, route, otherRoute }: Said): void {
    this.local ||= local;
    this.relay ||= relay;
    if (route !== undefined) this.routeTo(route);
    if (otherRoute !== undefined) this.routeTo(otherRoute);
  }
}

/** What all taps together said of one recipient. */
export class RecipientCase implements Lender<RecipientHandle> {
  readonly path: ForwardPath;
  readonly said = new Said();
  readonly shared: RecipientHandle;
  readonly #defaults: DefaultTransports;

  constructor(path: ForwardPath, defaults: DefaultTransports) {
    this.path = path;
    this.#defaults = defaults;
    this.shared = new RecipientHandle(this);
  }

  /** The first route, else the default of a kind that is permitted. */
  get route(): Route | undefined {
    return this.said.route ?? defaultRoute(this.said, this.#defaults);
  }

  fresh(): RecipientHandle {
    return new RecipientHandle(this);
  }
}

/** What a tap holds of a recipient. */
export class RecipientHandle extends Handle implements Recipient {
  readonly #case: RecipientCase;
  /** Most taps say nothing. */
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
    return this.#said?.route ?? this.#case.route;
  }

  permit(kind: TransportKind): void {
    if (this.alive) (this.#said ??= new Said()).permit(kind);
  }

  routeTo(route: Route): void {
    const nexthop: unknown = route?.nexthop;
    if (typeof route?.transport !== "string" || (typeof nexthop !== "string" && nexthop !== undefined))
      throw new TypeError("routeTo wants { transport, nexthop? }, both of them text");
    if (!this.alive) return;
    (this.#said ??= new Said()).routeTo(Object.freeze({ transport: route.transport, nexthop: route.nexthop }));
  }

  protected edits(): readonly Edit[] {
    if (this.#said === undefined) return [];
    const { local, relay, route, otherRoute } = this.#said;
    const routes = [route, otherRoute].filter((one) => one !== undefined);
    return [
      ...(local ? [{ kind: "permit", as: "local" } as const] : []),
      ...(relay ? [{ kind: "permit", as: "relay" } as const] : []),
      ...routes.map(({ transport, nexthop }): Edit => ({ kind: "route", transport, nexthop })),
    ];
  }

  protected keep(): void {
    if (this.#said !== undefined) this.#case.said.add(this.#said);
    this.#said = undefined;
  }

  protected forget(): void {
    this.#said = undefined;
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
  { path, said, route }: RecipientCase,
  transports: ReadonlyMap<string, Transport>,
  complain: (what: string) => void,
): Outcome<AcceptedRecipient> {
  if (!said.local && !said.relay) return { problem: replies.relayDenied };
  if (route === undefined) return { problem: replies.unknownRecipient };
  const other = said.otherRoute;
  if (other !== undefined) {
    complain(`${formatAddress(path.address)} is routed to ${describeRoute(route)} and to ${describeRoute(other)}`);
    return { problem: replies.twoRoutes };
  }
  const transport = transports.get(route.transport);
  if (transport === undefined) {
    complain(`${formatAddress(path.address)} is routed to ${describeRoute(route)}, which no plugin provides`);
    return { problem: replies.unstaged };
  }
  if (!said[transport.kind]) return { problem: replies.relayDenied };
  const { address, parameters } = path;
  return { value: Object.freeze({ address, parameters, kind: transport.kind, route }) };
}

function defaultRoute({ local, relay }: Said, defaults: DefaultTransports): Route | undefined {
  if (local && defaults.local !== undefined) return Object.freeze({ transport: defaults.local });
  if (relay && defaults.relay !== undefined) return Object.freeze({ transport: defaults.relay });
  return undefined;
}
