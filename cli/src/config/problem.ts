import { ConfigurationError, type Problem } from "@mailhost/core";

/** An error around one problem. */
export const configurationError = (problem: Problem): ConfigurationError => new ConfigurationError([problem]);

/** By name, never by `instanceof`: a plugin may bring its own copy of core. */
export const isConfigurationError = (error: unknown): error is ConfigurationError =>
  error instanceof Error && error.name === "ConfigurationError" && "problems" in error && Array.isArray(error.problems);

/** The message of whatever was thrown, on one line. */
export const describeError = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).trim().replace(/\s*\n\s*/g, " ");
