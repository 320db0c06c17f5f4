import { type Soon, soon } from "@mailhost/core";

/** Asks one after the other until one answers. Whatever is counted in memory answers at once: no group of commands is cut. */
export function firstAnswer<T>(asked: readonly (() => Soon<T | undefined>)[], from = 0): Soon<T | undefined> {
  const ask = asked[from];
  if (ask === undefined) return undefined;
  return soon(ask(), (answer) => answer ?? firstAnswer(asked, from + 1));
}
