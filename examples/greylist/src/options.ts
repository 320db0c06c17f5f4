import { ConfigurationError, networkProblem } from "@mailhost/core";
import * as v from "valibot";
import type { Rules } from "./memory.ts";

const milliseconds = v.pipe(v.number(), v.integer(), v.minValue(0));

/** Says in its own words what is wrong with an entry. */
const network = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    const problem = dataset.typed ? networkProblem(dataset.value) : undefined;
    if (problem !== undefined) addIssue({ message: problem });
  }),
);

export const schema = v.strictObject({
  /** Milliseconds a stranger has to wait; five minutes unless told otherwise. */
  wait: v.optional(milliseconds),
  /** Milliseconds within which it has to come back; two days. */
  window: v.optional(milliseconds),
  /** Milliseconds for which it is known afterwards; 36 days, so that monthly mail arrives at once. */
  keep: v.optional(milliseconds),
  /** How many are remembered, of those who wait and of those who are known; 100000. */
  most: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  /** Clients that never wait: addresses and networks. */
  spare: v.optional(v.array(network)),
  /** Clients on this DNS list never wait (RFC 5782): a zone such as `list.example`. */
  spareListed: v.optional(v.pipe(v.string(), v.nonEmpty("a zone is needed"))),
  /** Where it is kept across restarts, a path from the working directory; nowhere unless told. */
  file: v.optional(v.pipe(v.string(), v.nonEmpty("a path is needed"))),
});

export type GreylistOptions = v.InferOutput<typeof schema>;

export const minute = 60_000;
const day = 24 * 60 * minute;

/** Throws a ConfigurationError on what the schema cannot see: options that contradict each other. */
export function rulesOf(options: GreylistOptions): Rules {
  const { wait = 5 * minute, window = 2 * day, keep = 36 * day, most = 100_000 } = options;
  if (window > wait) return { wait, window, keep, most };
  const what = "window ends before wait is over: nobody could come in time";
  throw new ConfigurationError([{ code: "BAD_OPTION", where: "options.window", what, mend: "Make it a few days." }]);
}
