import type { Route, TransportKind } from "../protocol/session.ts";

/** One thing a tap did to its argument, for watchers. */
export type Edit =
  /** `touchedBy`: plugins that edited the field of that name (compared without case) before, in this message. */
  | { readonly kind: "add" | "replace" | "remove"; readonly field: string; readonly touchedBy: readonly string[] }
  /** `octets` of the new body. `touchedBy`: plugins that rewrote it before. */
  | { readonly kind: "rewrite"; readonly octets: number; readonly touchedBy: readonly string[] }
  | { readonly kind: "permit"; readonly as: TransportKind }
  | { readonly kind: "route"; readonly transport: string; readonly nexthop: string | undefined }
  | { readonly kind: "identify"; readonly identity: string }
  | { readonly kind: "stage" };

/** An edit in words: `add field X-Spam (touched by dkim before)`. */
export function describeEdit(edit: Edit): string {
  switch (edit.kind) {
    case "add":
    case "replace":
    case "remove":
      return `${edit.kind} field ${edit.field}${also(edit.touchedBy)}`;
    case "rewrite":
      return `rewrite body to ${edit.octets} octets${also(edit.touchedBy)}`;
    case "permit":
      return `permit ${edit.as}`;
    case "route":
      return `route to ${describeRoute(edit)}`;
    case "identify":
      return `identify ${edit.identity}`;
    case "stage":
      return "staged";
  }
}

const also = (plugins: readonly string[]): string =>
  plugins.length === 0 ? "" : ` (touched by ${plugins.join(", ")} before)`;

/** A route in words: the transport, its target in brackets. */
export const describeRoute = (route: Route): string =>
  route.nexthop === undefined ? route.transport : `${route.transport} (${route.nexthop})`;
