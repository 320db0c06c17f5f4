import type { Problem, ProblemCode } from "@mailhost/core";

const consequences: readonly ProblemCode[] = [
  "NO_HANDLER",
  "NO_VERIFIER",
  "NO_TLS",
  "UNKNOWN_ORDER",
  "MISSING_REQUIREMENT",
];

/** Without what is only said because a plugin could not be set up. */
export function withoutConsequences(problems: readonly Problem[]): Problem[] {
  const failed = problems.filter(
    ({ code, where }) => /(^|\.)plugins\[\d+\]/.test(where) && !consequences.includes(code),
  );
  if (failed.length === 0) return [...problems];
  return problems.filter(
    ({ code, where }) => !consequences.includes(code) && !(code === "BAD_LISTENER" && /(^|\.)default\./.test(where)),
  );
}
