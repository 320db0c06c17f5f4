import { type ListenerMode, networkProblem } from "@mailhost/core";
import * as v from "valibot";

export interface EarlyTalkerOptions {
  /** Milliseconds from the connection to the greeting; 2000 unless told otherwise. */
  readonly wait?: number | undefined;
  /** `reject` closes the connection, `note` writes a line in the log and goes on; `reject` unless told otherwise. */
  readonly action?: "reject" | "note" | undefined;
  /** Addresses and networks of clients that are greeted at once; this machine unless told otherwise. */
  readonly exempt?: readonly string[] | undefined;
  /** Listeners where clients are made to wait; those of mode `transfer` unless told otherwise. */
  readonly modes?: readonly ListenerMode[] | undefined;
}

/** RFC 5321 §4.5.3.2.1 gives a server five minutes to greet; some clients of today half a minute. */
const longestWait = 25_000;

const wait = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(1, "at least 1 millisecond: without a wait nobody speaks early"),
  v.maxValue(longestWait, `at most ${longestWait}: clients give up after half a minute without a greeting`),
);

const network = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    const message = dataset.typed ? networkProblem(dataset.value) : undefined;
    if (message !== undefined) addIssue({ message });
  }),
);

export const schema = v.strictObject({
  wait: v.optional(wait),
  action: v.optional(v.picklist(["reject", "note"])),
  exempt: v.optional(v.array(network)),
  modes: v.optional(v.array(v.picklist(["transfer", "submission"]))),
});
