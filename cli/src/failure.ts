import type { LocatedProblem } from "./config/configuration.ts";
import { isConfigurationError } from "./config/problem.ts";
import { exitCodes, RunTimeError, UsageError } from "./exit.ts";
import { countOf, explain } from "./report.ts";

/** What to say of an error, and the exit code. */
export function failure(error: unknown): { code: number; text: string } {
  if (isConfigurationError(error)) {
    const problems: readonly LocatedProblem[] = error.problems;
    return {
      code: codeFor(problems),
      text: `mailhost: ${countOf(problems.length, "problem")}\n\n${explain(problems)}`,
    };
  }
  if (error instanceof UsageError) return { code: exitCodes.usage, text: `mailhost: ${error.message}\n(see --help)\n` };
  if (error instanceof RunTimeError) return { code: exitCodes.runTime, text: `mailhost: ${error.message}\n` };
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: exitCodes.runTime, text: `mailhost: this should not have happened\n${stack}\n` };
}

/** A port that is taken now may be free in a moment: that is no fault of the configuration. */
export const codeFor = (problems: readonly LocatedProblem[]): number =>
  problems.every(({ code }) => code === "LISTEN_FAILED") ? exitCodes.runTime : exitCodes.configuration;
