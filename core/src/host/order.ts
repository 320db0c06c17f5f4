import type { Stage } from "./hooks.ts";
import type { Problem } from "./problems.ts";

/** One tap that waits for its place. */
export interface Placed {
  readonly plugin: string;
  readonly stage: Stage;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

const stages: readonly Stage[] = ["first", "normal", "last"];

/**
 * Puts the taps of one hook in order: stage, then configuration order, bent by before and after.
 * Gives the reason beside each. A cycle is a problem and leaves the rest in configuration order.
 */
export function orderTaps<T extends Placed>(
  taps: readonly T[],
  hook: string,
): { ordered: (T & { why: string })[]; problems: Problem[] } {
  const waiting = taps.map((tap, index) => ({ tap, index, rank: stages.indexOf(tap.stage) }));
  waiting.sort((a, b) => a.rank - b.rank || a.index - b.index);
  const ordered: (T & { why: string })[] = [];
  const left = waiting.map(({ tap }) => tap);
  while (left.length > 0) {
    const free = left.findIndex((tap) => left.every((other) => other === tap || !mustPrecede(other, tap)));
    if (free < 0) return { ordered, problems: [cycle(left, hook)] };
    const [tap] = left.splice(free, 1);
    if (tap !== undefined) ordered.push({ ...tap, why: reason(tap, free > 0) });
  }
  return { ordered, problems: [] };
}

const mustPrecede = (one: Placed, other: Placed): boolean =>
  one.plugin !== other.plugin && (one.before.includes(other.plugin) || other.after.includes(one.plugin));

function reason(tap: Placed, bent: boolean): string {
  const parts = [tap.stage === "normal" ? "configuration order" : `stage ${tap.stage}`];
  if (tap.after.length > 0) parts.push(`after ${tap.after.join(", ")}`);
  if (tap.before.length > 0) parts.push(`before ${tap.before.join(", ")}`);
  if (bent) parts.push("others wait");
  return parts.join("; ");
}

function cycle(left: readonly Placed[], hook: string): Problem {
  const names = [...new Set(left.map((tap) => tap.plugin))];
  return {
    code: "ORDER_CYCLE",
    where: "plugins",
    what: `in hook ${hook}, ${names.join(" and ")} each want to come before the other`,
    mend: "Remove one of their before, after or requires.",
  };
}
