import type { Step } from "../protocol/machine.ts";
import type { BodyIntake } from "./body.ts";

/** What the next octets of the client are. */
export type Reading =
  | { readonly what: "commands" }
  | { readonly what: "line"; readonly step: Extract<Step, { go: "line" }> }
  | { readonly what: "body"; readonly intake: BodyIntake }
  | { readonly what: "preamble" }
  /** Somebody judges, or TLS is being set up: nothing is read. */
  | { readonly what: "nothing" }
  | { readonly what: "closed" };

export const commands: Reading = { what: "commands" };
export const nothing: Reading = { what: "nothing" };
export const closed: Reading = { what: "closed" };
export const preamble: Reading = { what: "preamble" };
