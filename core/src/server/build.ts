import { buildGeneration } from "../host/build.ts";
import type { LiveGeneration, Services } from "../host/generation.ts";
import { ConfigurationError, type Problem } from "../host/problems.ts";
import { consoleLog, steadyLog, systemClock, systemResolver } from "../host/services.ts";
import type { SharedValues } from "../host/shared.ts";
import { type MailhostOptions, type Plan, plan } from "./settings.ts";

/** What options come to for one listener. */
export interface Built {
  readonly plan: Plan;
  readonly generation: LiveGeneration;
}

/** One per listener, in order, or none: rejects with a ConfigurationError that holds every problem of every listener. */
export async function build(options: MailhostOptions, shared: SharedValues): Promise<Built[]> {
  const services = servicesOf(options);
  const built: Built[] = [];
  const { plans, problems } = plan(options);
  for (const one of plans) {
    try {
      built.push({ plan: one, generation: await buildGeneration(one.blueprint, services, shared) });
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length === 0) return built;
  await Promise.all(built.map(({ generation }) => generation.retire()));
  throw new ConfigurationError(withoutRepeats(problems));
}

export const servicesOf = (options: MailhostOptions): Services => ({
  log: steadyLog(options.log ?? consoleLog),
  clock: options.clock ?? systemClock,
  resolver: options.resolver ?? systemResolver(),
});

/** A plugin that stands on several listeners is wrong once. */
const withoutRepeats = (problems: readonly Problem[]): Problem[] => {
  const seen = new Map(problems.map((problem) => [`${problem.code} ${problem.where} ${problem.what}`, problem]));
  return [...seen.values()];
};
