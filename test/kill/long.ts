// npm run kills:long: a thousand kills at random moments, 200,000 acknowledged messages, on the build as users run it;
// then restarts over a large store. Fails where something is lost, or the median restart, without the time that other processes had its core, is over its bound.
// --kills 1000 --messages 200000 --seed N --form built
import { parseArgs } from "node:util";
import type { Greeted } from "../support/command.ts";
import { campaign } from "./campaign.ts";
import { restarts } from "./restarts.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "1000" },
    messages: { type: "string", default: "200000" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    form: { type: "string", default: "built" },
  },
});
const boundMilliseconds = 500;
const form = values.form === "source" ? "source" : "built";
const seed = Number(values.seed);
console.log(`${new Date().toISOString()} seed ${seed}, Node ${process.version}, ${form}`);

const {
  restarts: times,
  problems,
  ...figures
} = await campaign({
  form,
  seed,
  kills: Number(values.kills),
  messages: Number(values.messages),
  report: (line) => console.log(line),
});
console.log(figures);
const lines = greetings("restart to 220", times);
const large = await restarts({ form, mailboxes: 5000, leftovers: 50_000, times: 20 });
lines.push(
  ...greetings(`restart to 220, ${large.mailboxes} mailboxes and ${large.leftovers} leftovers in tmp`, large.restarts),
);
lines.push(spread("first message after it, to 250", large.deliveries));
lines.push(`leftovers were swept in ${(large.swept / 1000).toFixed(1)} s`);
console.log(lines.join("\n"));
for (const problem of problems) console.log(problem);
const slow = [times, large.restarts].some((all) => at(all.map(alone), 0.5) >= boundMilliseconds);
process.exitCode = problems.length > 0 || slow ? 1 : 0;

/** What it would have been had nobody else used the cores. */
function alone({ milliseconds, starved }: Greeted): number {
  return milliseconds - starved;
}

function greetings(what: string, all: readonly Greeted[]): string[] {
  const whole = all.map(({ milliseconds }) => milliseconds);
  return [spread(what, whole), spread("  without the time that other processes had its core", all.map(alone))];
}

function at(numbers: readonly number[], part: number): number {
  return numbers.toSorted((one, other) => one - other)[Math.floor(part * (numbers.length - 1))] ?? NaN;
}

function spread(what: string, milliseconds: readonly number[]): string {
  const [median, late, worst] = [0.5, 0.99, 1].map((part) => `${at(milliseconds, part).toFixed(0)} ms`);
  const over = milliseconds.filter((one) => one >= boundMilliseconds).length;
  return `${what}: median ${median}, p99 ${late}, worst ${worst} of ${milliseconds.length}; ${over} over ${boundMilliseconds} ms`;
}
