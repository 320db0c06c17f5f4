import { describe } from "./guard.ts";
import type { OptionsCheck, Plugin, SchemaResult } from "./plugin.ts";
import { type Problem, nearest } from "./problems.ts";

/** Options as their schema returns them, or what is wrong with them. Unknown keys are errors. */
export async function checkOptions(plugin: Plugin, where: string): Promise<{ options: unknown; problems: Problem[] }> {
  const { options, definition } = plugin;
  const check = definition.options;
  if (check === undefined) return { options, problems: [] };
  const problems = unknownKeys(options, check.keys, plugin.name, where);
  const unknown = new Set(problems.map((problem) => problem.where));
  const result = await validate(check, options);
  if (result.issues === undefined) return { options: result.value, problems };
  for (const { message, path = [] } of result.issues) {
    const steps = path.map((step) => (typeof step === "object" ? step.key : step));
    const at = steps.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`)).join("");
    const place = `${where}.options${at}`;
    // A strict schema names an unknown key too: once is enough
    if (unknown.has(place)) continue;
    problems.push({
      code: "BAD_OPTION",
      where: place,
      what: `option ${at.replace(/^\./, "") || "list"} of plugin ${plugin.name}: ${message}`,
      mend: `See the options of ${plugin.definition.name}.`,
    });
  }
  return { options, problems };
}

/** A check of the schema's own that throws is an issue like any other. */
async function validate({ schema }: OptionsCheck<never>, options: unknown): Promise<SchemaResult<unknown>> {
  try {
    const result = await schema["~standard"].validate(options);
    // In plain JavaScript it may give anything: all of it is looked at here, where it may fail
    if (result.issues !== undefined) return { issues: result.issues.map(readable) };
    if (!("value" in result)) throw new TypeError("its schema gives neither a value nor issues");
    return { value: result.value };
  } catch (error) {
    return { issues: [{ message: describe(error) }] };
  }
}

type Issue = NonNullable<SchemaResult<unknown>["issues"]>[number];

const readable = ({ message, path = [] }: Issue): Issue => ({ message: describe(message), path: [...path] });

function unknownKeys(options: unknown, keys: readonly string[], plugin: string, where: string): Problem[] {
  if (typeof options !== "object" || options === null) return [];
  return Object.keys(options)
    .filter((key) => !keys.includes(key))
    .map((key) => {
      const near = nearest(key, keys);
      const mend = near === undefined ? `It knows: ${keys.join(", ")}.` : `Did you mean ${near}?`;
      return {
        code: "UNKNOWN_OPTION",
        where: `${where}.options.${key}`,
        what: `plugin ${plugin} has no option ${key}`,
        mend,
      };
    });
}
