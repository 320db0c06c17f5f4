import { ConfigurationError } from "@mailhost/core";
import type { Check, CheckName } from "./check.ts";
import * as dialogues from "./dialogues.ts";
import { Contract } from "./about.ts";
import { deadlines, disconnects, dns } from "./interruptions.ts";
import { close, reloads, twice, twoListeners } from "./lifetimes.ts";
import * as oddities from "./oddities.ts";
import { manifest, unknownOption } from "./manifest.ts";
import { largeMessage, memory } from "./memory.ts";
import type { ContractOptions, PluginMaker } from "./options.ts";
import { nextTurn, watchProcess, withPlace, within } from "./process.ts";
import { type ContractCheck, type ContractReport, type Finding, checkOf, concluded } from "./report.ts";

const checks: readonly Check[] = [
  manifest,
  unknownOption,
  dialogues.acceptedMessage,
  dialogues.nullReversePath,
  oddities.unusualAddresses,
  oddities.unusualContent,
  dialogues.rsetStorm,
  dialogues.manyRecipients,
  oddities.hostileInput,
  disconnects,
  deadlines,
  dns,
  largeMessage,
  reloads,
  twice,
  twoListeners,
  memory,
  close,
];

/** Without these there is nothing to find out. */
const needed: ReadonlySet<CheckName> = new Set(["manifest", "accepted message"]);

/**
 * Puts a plugin through what the internet does to it, in memory and in a few seconds, with any test runner.
 * Resolves to the report when all is well, rejects with a ContractError that says what is not and how to mend it.
 *
 * @example
 * test("keeps the contract", () => contract(greylist, { options: () => ({ minutes: 5 }) }));
 */
export async function contract<Options = Record<string, never>>(
  plugin: PluginMaker<Options>,
  options: ContractOptions<Options> = {},
): Promise<ContractReport> {
  // Options are made and handed over by one object: what they are concerns nobody else
  const about = new Contract(plugin, options) as Contract;
  const { name } = (await about.plugin()).definition;
  const guard = watchProcess();
  const done: ContractCheck[] = [];
  for (const check of checks) {
    if (options.only?.includes(check.name) === false) continue;
    const reason = options.skip?.[check.name];
    const result = reason === undefined ? await carryOut(check, about, guard.take) : leftOut(check, reason);
    done.push(result);
    if (!result.ok && needed.has(check.name)) break;
  }
  const late = await guard.stop();
  if (late.length > 0) done.push(checkOf("afterwards", late));
  return concluded(name, done);
}

const leftOut = ({ name }: Check, reason: string): ContractCheck => ({
  name,
  ok: true,
  what: `left out: ${reason}`,
  mend: "",
});

async function carryOut(check: Check, about: Contract, fatal: () => Finding[]): Promise<ContractCheck> {
  const findings: Finding[] = [];
  try {
    const { longer = 1 } = check;
    findings.push(...(await inTime(check.run(about), longer * (about.options.within ?? 20_000))));
  } catch (error) {
    findings.push(...thrown(error, check));
  }
  findings.push(...(await about.clear()));
  await nextTurn();
  findings.push(...fatal());
  return checkOf(
    check.name,
    findings.map(({ what, mend }) => ({ what, mend: mend === "" ? check.mend : mend })),
  );
}

async function inTime<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  if (await within(milliseconds, work)) return work;
  throw new Error(`it did not end within ${milliseconds} ms`);
}

/** A configuration that cannot be is told as core tells it. */
const thrown = (error: unknown, { mend }: Check): readonly Finding[] =>
  error instanceof ConfigurationError
    ? error.problems.map((problem) => ({ what: `${problem.where}: ${problem.what}`, mend: problem.mend }))
    : [{ what: withPlace(error), mend }];
