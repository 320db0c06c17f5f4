import { statSync } from "node:fs";
import type { Problem } from "@mailhost/core";
import * as v from "valibot";
import { describeError } from "./problem.ts";

// Only what core takes for granted of a typed program. What the values say, and unknown names, core judges itself.
const text = v.string("is not a text");
const number = v.number("is not a number");
const list = v.array(v.unknown(), "is not a list");
const texts = v.array(text, "is not a list");
const table = v.looseObject({}, "is not a table of settings");

const shared = {
  plugins: v.optional(list),
  default: v.optional(v.strictObject({ local: v.optional(text), relay: v.optional(text) }, named)),
  limits: v.optional(table),
  timeouts: v.optional(table),
  bareLineEnds: v.optional(v.picklist(["refuse", "normalize"], "is neither refuse nor normalize")),
  normalizeFor: v.optional(texts),
  name: v.optional(text),
};

const serverShape = v.looseObject({ ...shared, listeners: v.optional(list), spool: v.optional(text) });
const listenerShape = v.looseObject({
  ...shared,
  serverName: v.optional(text),
  host: v.optional(text),
  port: v.optional(number),
  fd: v.optional(number),
});

function named(issue: { expected: string | null }): string {
  return issue.expected === "never" ? "is not known here: only local and relay are" : "is not a table of settings";
}

type Settings = Readonly<Record<string, unknown>>;

/** Settings of the right types, and what was wrong with the others, which are left out. */
export function checkShape(config: unknown): { settings: Settings; problems: Problem[] } {
  const problems: Problem[] = [];
  const settings = keepRight(config, serverShape, "", problems);
  if (!Array.isArray(settings["listeners"])) return { settings: withSpool(settings, problems), problems };
  const listeners = settings["listeners"].map((listener: unknown, index) => {
    const right = keepRight(listener, listenerShape, `listeners[${index}]`, problems);
    // A place of its own for what lost its port, so that nothing else is said of it
    const lost = typeof listener === "object" && listener !== null && "port" in listener && !("port" in right);
    return lost || !isTable(listener) ? { name: `listeners[${index}]`, ...right, port: 0 } : right;
  });
  return { settings: withSpool({ ...settings, listeners }, problems), problems };
}

const isTable = (value: unknown): value is Settings =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function keepRight(given: unknown, shape: v.GenericSchema, where: string, problems: Problem[]): Settings {
  const bad = (path: string, what: string): void =>
    void problems.push({
      code: "BAD_OPTION",
      where: path,
      what,
      mend: "See docs/configure.md for what may stand here.",
    });
  if (!isTable(given)) {
    bad(where, `${where === "" ? "the configuration" : where} is not a table of settings but ${kindOf(given)}`);
    return {};
  }
  const wrong = new Set<string>();
  for (const issue of v.safeParse(shape, given).issues ?? []) {
    const steps = (issue.path ?? []).map(({ key }) => key);
    const path = steps.reduce<string>(
      (before, step) =>
        typeof step === "number" ? `${before}[${step}]` : before === "" ? String(step) : `${before}.${String(step)}`,
      where,
    );
    wrong.add(String(steps[0]));
    bad(path, `${path} ${issue.message}${issue.message.startsWith("is not a") ? ` but ${kindOf(issue.input)}` : ""}`);
  }
  return Object.fromEntries(Object.entries(given).filter(([key]) => !wrong.has(key)));
}

function kindOf(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a table";
  return typeof value === "function" ? "a function" : JSON.stringify(value);
}

/** A spool folder that is not there would be noticed with the first large message only. */
function withSpool(settings: Settings, problems: Problem[]): Settings {
  const { spool } = settings;
  if (typeof spool !== "string") return settings;
  try {
    if (statSync(spool).isDirectory()) return settings;
    problems.push({ code: "BAD_FILE", where: "spool", what: `${spool} is no folder`, mend: "Name a folder." });
  } catch (error) {
    const what = `the spool folder cannot be used: ${describeError(error)}`;
    problems.push({ code: "BAD_FILE", where: "spool", what, mend: `Run: mkdir -p ${spool}` });
  }
  return settings;
}
