import { type OnFailure, describe } from "./guard.ts";
import type { Stage, TapOptions } from "./hooks.ts";
import { meant } from "./problems.ts";

// Records, so that none can lack what its type has
const keys = Object.keys({
  name: true,
  stage: true,
  before: true,
  after: true,
  onFailure: true,
  deadline: true,
  identifies: true,
} satisfies Record<keyof TapOptions, true>);
const choices: readonly (readonly [key: string, known: readonly string[]])[] = [
  ["stage", Object.keys({ first: true, normal: true, last: true } satisfies Record<Stage, true>)],
  ["onFailure", Object.keys({ defer: true, ignore: true } satisfies Record<OnFailure, true>)],
];

const isTime = (value: unknown): boolean => typeof value === "number" && value > 0 && value < 2 ** 31; // what timers take
const areNames = (value: unknown): boolean => Array.isArray(value) && value.every((one) => typeof one === "string");

/** What options hold beside a name, when they hold it, and how it is written. */
const forms: readonly (readonly [key: string, isRight: (value: unknown) => boolean, mend: string])[] = [
  ["deadline", isTime, "Give it in milliseconds: deadline: 5000."],
  ["before", areNames, 'Name plugins in an array: before: ["greylist"].'],
  ["after", areNames, 'Name plugins in an array: after: ["greylist"].'],
  ["identifies", (value) => value === false, "Say identifies: false, or leave it out."],
];

/** What is wrong with a tap, and how to mend it: JavaScript has no types to say so, and the first client would meet it. */
export function tapProblem(given: unknown, judge: unknown): { what: string; mend: string } | undefined {
  const options: Readonly<Record<string, unknown>> =
    typeof given === "object" && given !== null ? { ...given } : { name: given };
  const unknown = Object.keys(options).find((key) => !keys.includes(key));
  if (unknown !== undefined) return { what: `has no option ${unknown}`, mend: meant(unknown, keys) };
  const { name } = options;
  if (typeof name !== "string" || name.trim() === "")
    return { what: "has no name", mend: 'Give it one for logs: tap("greet", …), tap({ name: "greet" }, …).' };
  for (const [key, known] of choices) {
    const value = options[key];
    if (value !== undefined && !(typeof value === "string" && known.includes(value)))
      return { what: `${name} has no ${key} ${describe(value)}`, mend: meant(describe(value), known) };
  }
  for (const [key, isRight, mend] of forms)
    if (options[key] !== undefined && !isRight(options[key]))
      return { what: `${name}: ${key} cannot be ${describe(options[key])}`, mend };
  if (typeof judge !== "function")
    return { what: `${name} is no function`, mend: "Put the function behind the name or the options." };
  return undefined;
}
