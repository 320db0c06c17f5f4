import semver from "semver";
import type { Plugin, PluginDefinition } from "./plugin.ts";
import { type Problem, nearest } from "./problems.ts";

/** Whether a range takes a version. A prerelease counts like any version: ^1.0.0 takes 1.1.0-rc.1, ^1.1.0 does not yet. */
export const accepts = (range: string, version: string): boolean =>
  semver.satisfies(version, range, { includePrerelease: true });

/** What a manifest requires: names, each with its range. */
export const requirements = (requires: PluginDefinition<never>["requires"] = []): [name: string, range: string][] =>
  isList(requires) ? requires.map((name) => [name, "*"]) : Object.entries(requires);

const isList = (value: unknown): value is readonly string[] => Array.isArray(value);

/** What a plugin written without types may get wrong: each thing that cannot be read, and what should stand there. */
export function unreadable({ name, definition, placement }: Plugin, where: string): Problem[] {
  // Read as unknown: JavaScript keeps nobody to the types
  const { version, core, requires, before, after, onFailure, options, apply } = definition as {
    readonly [key in keyof typeof definition]: unknown;
  };
  const problems: Problem[] = [];
  const bad = (what: string, mend: string): void =>
    void problems.push({ code: "BAD_MANIFEST", where, what: `the manifest of plugin ${name}: ${what}`, mend });
  if (typeof name !== "string" || name === "") bad(`its name is ${show(name)}`, 'Give it one: name: "greylist".');
  if (typeof version !== "string" || semver.valid(version) === null)
    bad(`version ${show(version)} is none`, 'Write the version of its package.json: version: "1.0.0".');
  if (!isRange(core)) bad(`core ${show(core)} is no range of versions`, 'Write a semver range: core: "^1.0.0".');
  for (const [wanted, range] of rangesOf(requires))
    if (!isRange(range))
      bad(`requires ${show(range)} of ${wanted}, which is no range of versions`, `Write ${wanted}: "^1.0.0".`);
  for (const [key, value] of Object.entries({ before, after, ...(isTable(requires) ? {} : { requires }) }))
    if (value !== undefined && !isNames(value)) bad(`${key} is no list of names`, `Write ${key}: ["addressable"].`);
  const policy = 'Write onFailure: "ignore", or per hook: { data: "ignore" }.';
  for (const what of policyProblems(onFailure)) bad(`onFailure ${what}`, policy);
  // This one the configuration says, not the manifest
  for (const what of policyProblems(placement.onFailure))
    problems.push({
      code: "BAD_OPTION",
      where: `${where}.onFailure`,
      what: `onFailure of plugin ${name} ${what}`,
      mend: policy,
    });
  if (options !== undefined && !isCheck(options))
    bad("options has no schema and keys", "Write options: { schema, keys }, with any Standard Schema.");
  if (typeof apply !== "function") bad("there is no apply", "Write apply(host, options) { … }.");
  return problems;
}

const show = (value: unknown): string => (value === undefined ? "(nothing)" : JSON.stringify(value));

const isRange = (value: unknown): boolean => typeof value === "string" && semver.validRange(value) !== null;

const isTable = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const rangesOf = (requires: unknown): [string, unknown][] => (isTable(requires) ? Object.entries(requires) : []);

const isNames = (value: unknown): boolean =>
  Array.isArray(value) && value.every((name) => typeof name === "string" && name !== "");

const isPolicy = (value: unknown): boolean => value === "defer" || value === "ignore";

const judging = ["connect", "ehlo", "auth", "rcpt", "data", "queue"];

function policyProblems(given: unknown): string[] {
  if (given === undefined || isPolicy(given)) return [];
  if (!isTable(given)) return [`${show(given)} is neither defer nor ignore`];
  return Object.entries(given).flatMap(([hook, policy]) => {
    if (!judging.includes(hook)) {
      const near = nearest(hook, judging);
      return [`names the hook ${hook}, which is none${near === undefined ? "" : `; did you mean ${near}?`}`];
    }
    return policy === undefined || isPolicy(policy) ? [] : [`of ${hook}, ${show(policy)}, is neither defer nor ignore`];
  });
}

function isCheck(value: unknown): boolean {
  if (!isTable(value) || !("schema" in value) || !("keys" in value) || !isKeys(value.keys)) return false;
  const { schema } = value;
  return ((typeof schema === "object" && schema !== null) || typeof schema === "function") && "~standard" in schema;
}

const isKeys = (value: unknown): boolean => Array.isArray(value) && value.every((key) => typeof key === "string");
