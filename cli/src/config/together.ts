import type { MailhostOptions, Problem, ProblemCode } from "@mailhost/core";

// Helpers for saying everything that is wrong at once, and nothing twice.

const consequences: readonly ProblemCode[] = ["NO_HANDLER", "NO_TLS", "UNKNOWN_ORDER", "MISSING_REQUIREMENT"];

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

/** The options without the settings that were wrong, or undefined when it was something else. */
export function withoutWrongSettings(
  options: MailhostOptions,
  problems: readonly Problem[],
): MailhostOptions | undefined {
  let removed = false;
  const without = <T extends object>(given: T, keys: readonly string[]): T => {
    const left = Object.entries(given).filter(([key]) => !keys.includes(key));
    removed ||= left.length < Object.keys(given).length;
    // Every setting is optional
    return Object.fromEntries(left) as T;
  };
  const wrong = (pattern: RegExp): string[] =>
    problems.flatMap(({ where }) => pattern.exec(where)?.[1] ?? []).filter((key) => key !== "plugins");
  const { listeners, ...server } = options;
  const rest = without(
    server,
    wrong(/^(\w+)/).filter((key) => key !== "listeners"),
  );
  const others = (listeners ?? []).map((listener, index) => {
    const keys = wrong(new RegExp(`^listeners\\[${index}\\]\\.(\\w+)`));
    // Core names a listener's own name `serverName` as `name`
    const right = without(listener, keys.includes("name") ? [...keys, "serverName"] : keys);
    return keys.length === 0 ? right : { name: `listeners[${index}]`, ...right, port: right.port ?? 0 };
  });
  if (!removed) return undefined;
  return { ...rest, ...(others.length === 0 ? {} : { listeners: others }) };
}
