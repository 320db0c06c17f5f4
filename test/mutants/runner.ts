import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Script } from "node:vm";
import { INSTRUMENTER_CONSTANTS, type InstrumenterContext } from "@stryker-mutator/api/core";
import { PluginKind, declareClassPlugin } from "@stryker-mutator/api/plugin";
import {
  type DryRunOptions,
  type DryRunResult,
  DryRunStatus,
  type MutantRunOptions,
  type MutantRunResult,
  type TestResult,
  type TestRunner,
  TestStatus,
  determineHitLimitReached,
  toMutantRunResult,
} from "@stryker-mutator/api/test-runner";
import { type Bundle, type Declared, bundle, declared } from "./collect.ts";

const folder = "core/test/protocol";
/** It tells no mutants apart, and takes its time. */
const passedOver = ["hostile-paths.test.ts"];
/** Sources do something when they are loaded, and a mutant may run in circles there as in a test. */
const loading = "loading";
/** What the run without mutants leaves to the runs with them, in the copy that Stryker throws away. */
const measuresFile = "mutants-measures.json";

/** Of one test: how long it took, and how often the place it came to most often was run. */
interface Measure {
  readonly milliseconds: number;
  readonly hits: number;
}

/** A mutant that runs in circles is stopped when its place is run so many times as often as without it, or takes so many times as long. */
const circles = 20;
const patience = 2000;

/** What the sources with mutants read, and where they count. */
const context: InstrumenterContext = {};
Object.assign(globalThis, { [INSTRUMENTER_CONSTANTS.NAMESPACE]: context });

/**
 * Runs the tests of `core/src/protocol` for Stryker, in one process. Each mutant gets modules of its own, made of
 * scripts that are compiled once: some milliseconds, where a test runner takes a second to start. The quickest tests
 * run first, and the first that fails is the last.
 */
class BundleRunner implements TestRunner {
  readonly #bundles: readonly Bundle[] = readdirSync(folder)
    .filter((name) => name.endsWith(".test.ts") && !passedOver.includes(name))
    .map((name) => bundle(join(folder, name)));
  #read: Readonly<Record<string, Measure>> | undefined;

  capabilities(): { reloadEnvironment: boolean } {
    return { reloadEnvironment: true };
  }

  async dryRun(_options: DryRunOptions): Promise<DryRunResult> {
    delete context.activeMutant;
    delete context.hitCount;
    context.mutantCoverage = { static: {}, perTest: {} };
    const from = performance.now();
    const all = this.#bundles.flatMap(declared);
    const loaded = { id: loading, timeSpentMs: performance.now() - from };
    const tests: TestResult[] = [];
    for (const test of all) {
      context.currentTestId = test.id;
      tests.push(await outcome(test));
      delete context.currentTestId;
    }
    const { perTest, static: whileLoading } = context.mutantCoverage;
    const measures = [loaded, ...tests].map(({ id, timeSpentMs }): [string, Measure] => [
      id,
      {
        milliseconds: timeSpentMs,
        hits: Math.max(0, ...Object.values((id === loading ? whileLoading : perTest[id]) ?? {})),
      },
    ]);
    writeFileSync(measuresFile, JSON.stringify(Object.fromEntries(measures)));
    return { status: DryRunStatus.Complete, tests, mutantCoverage: context.mutantCoverage };
  }

  async mutantRun({ activeMutant, mutantActivation, testFilter }: MutantRunOptions): Promise<MutantRunResult> {
    delete context.activeMutant;
    delete context.hitCount;
    if (mutantActivation === "static") context.activeMutant = activeMutant.id;
    const wanted = testFilter && new Set(testFilter);
    let tests: Declared[] = [];
    const load = (): Declared[] => (tests = this.#bundles.filter(isWanted(wanted)).flatMap(declared));
    const results = [await this.#bounded({ id: loading, name: "the sources can be loaded", file: folder, run: load })];
    context.activeMutant = activeMutant.id;
    for (const test of this.#quickestFirst(tests)) {
      if (results.at(-1)?.status === TestStatus.Failed) break;
      if (wanted?.has(test.id) === false) continue;
      results.push(await this.#bounded(test));
    }
    return toMutantRunResult(
      determineHitLimitReached(context.hitCount, context.hitLimit) ?? { status: DryRunStatus.Complete, tests: results },
      false,
    );
  }

  #bounded(test: Declared): Promise<TestResult> {
    const { hits, milliseconds } = this.#measures[test.id] ?? { hits: 0, milliseconds: 0 };
    Object.assign(context, { hitCount: 0, hitLimit: 1000 + circles * hits });
    return outcome({ ...test, run: () => within(patience + circles * milliseconds, test.run) });
  }

  #quickestFirst(tests: readonly Declared[]): Declared[] {
    const time = ({ id }: Declared): number => this.#measures[id]?.milliseconds ?? 0;
    return tests.toSorted((a, b) => time(a) - time(b));
  }

  get #measures(): Readonly<Record<string, Measure>> {
    this.#read ??= JSON.parse(readFileSync(measuresFile, "utf8")) as Record<string, Measure>;
    return this.#read;
  }
}

/** Whether a file has a test that is wanted; its name stands before the test's. */
function isWanted(wanted: ReadonlySet<string> | undefined): (of: Bundle) => boolean {
  const files = wanted && new Set([...wanted].map((id) => id.slice(0, id.indexOf("#"))));
  return ({ file }) => files === undefined || files.has(file);
}

const call = new Script("mutantTest()");

/** What is called, stopped after so many milliseconds: a mutant may run in circles that do not pass its place. */
function within(milliseconds: number, run: () => unknown): unknown {
  Object.assign(globalThis, { mutantTest: run });
  return call.runInThisContext({ timeout: Math.ceil(milliseconds) });
}

async function outcome({ id, name, file, run }: Declared): Promise<TestResult> {
  const from = performance.now();
  const told = (): { id: string; name: string; fileName: string; timeSpentMs: number } => ({
    id,
    name,
    fileName: file,
    timeSpentMs: performance.now() - from,
  });
  try {
    await run();
    return { ...told(), status: TestStatus.Success };
  } catch (error) {
    return { ...told(), status: TestStatus.Failed, failureMessage: String(error) };
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, "bundles", BundleRunner)];
