import { describeError } from "@mailhost/core";
import type { PluginMaker } from "../contract/options.ts";
import { nextTurn, watchProcess, withPlace, within } from "../contract/process.ts";
import { type ContractCheck, type ContractReport, type Finding, checkOf, concluded } from "../contract/report.ts";
import type { TransportCheck } from "./check.ts";
import { crash } from "./crash.ts";
import { failingDisk, fullDisk } from "./faults.ts";
import type { TransportContractOptions } from "./options.ts";
import * as phases from "./phases.ts";
import { Station } from "./station.ts";

const checks: readonly TransportCheck[] = [
  phases.acceptedMessage,
  phases.content,
  phases.beforeCommit,
  phases.abort,
  phases.dryRun,
  phases.tooLate,
  phases.severalAtOnce,
  fullDisk,
  failingDisk,
  crash,
];

/**
 * Puts a transport through what decides whether mail is lost: stage, commit, abort, and what fails or dies between them.
 * Resolves to the report when all is well, rejects with a ContractError that says what is not and how to mend it.
 * It stands beside `contract`, which every plugin keeps, a transport too.
 */
export async function transportContract<Options = Record<string, never>>(
  plugin: PluginMaker<Options>,
  options: TransportContractOptions<Options>,
): Promise<ContractReport> {
  // Options are made and handed over by one object: what they are concerns nobody else
  const make = plugin as PluginMaker<unknown>;
  const guard = watchProcess();
  const done: ContractCheck[] = [];
  let name = "the transport";
  try {
    for (const check of checks) {
      if (options.only?.includes(check.name) === false) continue;
      const reason = options.skip?.[check.name];
      if (reason !== undefined) {
        done.push({ name: check.name, ok: true, what: `left out: ${reason}`, mend: "" });
        continue;
      }
      const station = await Station.open(make, options);
      name = await station.name();
      const result = await carryOut(check, station, guard.take);
      done.push(result);
      if (!result.ok && check === phases.acceptedMessage) break;
    }
  } finally {
    const late = await guard.stop();
    if (late.length > 0) done.push(checkOf("afterwards", late));
  }
  return concluded(name, done);
}

async function carryOut(check: TransportCheck, station: Station, fatal: () => Finding[]): Promise<ContractCheck> {
  const findings: Finding[] = [];
  const milliseconds = station.options.within ?? 30_000;
  try {
    const run = check.run(station);
    if (await within(milliseconds, run)) findings.push(...(await run));
    else findings.push({ what: `it did not end within ${milliseconds} ms`, mend: check.mend });
  } catch (error) {
    findings.push({ what: withPlace(error), mend: check.mend });
  }
  try {
    const faults = await station.close();
    if (check.faultsAreMeant !== true) findings.push(...faults);
  } catch (error) {
    findings.push({ what: describeError(error), mend: check.mend });
  }
  await nextTurn();
  findings.push(...fatal());
  return checkOf(
    check.name,
    findings.map(({ what, mend }) => ({ what, mend: mend === "" ? check.mend : mend })),
  );
}
