import { clearTimeout, setTimeout } from "node:timers";
import type { Clock } from "@mailhost/core";

/** What a timer of Node can wait for; anything longer would fire at once. */
const longestWait = 2 ** 31 - 1;

/** Calls once after so many milliseconds, for all the fake timers of a test: an inbox is outside of what is tested. The result cancels. */
export function after(
  milliseconds: number,
  call: () => void,
): { readonly cancel: () => void; readonly unref: () => void } {
  const timer = setTimeout(call, Math.min(milliseconds, longestWait));
  return { cancel: () => clearTimeout(timer), unref: () => void timer.unref() };
}

/** The clock of an inbox's server. */
export const realClock: Clock = {
  now: () => Date.now(),
  after(milliseconds, call) {
    const { cancel, unref } = after(milliseconds, call);
    unref();
    return cancel;
  },
};
