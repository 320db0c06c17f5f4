import * as v from "valibot";
import type { Handler } from "./envelope.ts";
import type { Form } from "./form.ts";

/** Where mail for a pattern goes: a transport by name, a transport with its target, or a function. */
export type Target = string | { readonly transport: string; readonly nexthop?: string | undefined } | Handler;

export interface MuxOptions extends Form {
  /** Targets by pattern: `sales@example.com`, `*@example.com`, `postmaster@*`, `*@*`. */
  readonly routes?: Readonly<Record<string, Target>> | undefined;
  /** Forms of single domains, over the general one. */
  readonly perDomain?: Readonly<Record<string, Form>> | undefined;
  /** A local part that a known domain does not know is looked for under `*` too. */
  readonly fallthrough?: boolean | undefined;
  /** Patterns whose domain is `*` permit what they route, to be stored here. */
  readonly catchAll?: boolean | undefined;
  /** Milliseconds a function may take before the client is told to try again; 5 minutes unless told otherwise. */
  readonly timeout?: number | undefined;
}

const form = {
  caseSensitive: v.optional(v.boolean()),
  ignoreDots: v.optional(v.boolean()),
  // Of a dot-string, without letters, digits, dots and the asterisk
  separator: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[!#$%&'+\-/=?^_`{|}~]*$/, ({ input }) => `${JSON.stringify(input)} cannot separate a tag: use + or -`),
    ),
  ),
};

const name = v.pipe(v.string(), v.nonEmpty("a transport has a name"));

const target = v.union(
  [
    name,
    v.strictObject({ transport: name, nexthop: v.optional(v.string()) }),
    v.custom<Handler>((value) => typeof value === "function"),
  ],
  "a target is the name of a transport, { transport, nexthop } or a function",
);

/** Longest time a timer can hold. */
const longest = 2_147_483_647;

export const schema = v.strictObject({
  ...form,
  routes: v.optional(v.record(v.string(), target)),
  perDomain: v.optional(v.record(v.string(), v.strictObject(form))),
  fallthrough: v.optional(v.boolean()),
  catchAll: v.optional(v.boolean()),
  timeout: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(longest))),
});

export const isTarget = (value: unknown): value is Target => v.is(target, value);
