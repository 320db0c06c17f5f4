import { type Generation, type Problem, isEverybody } from "@mailhost/core";
import {
  type Configuration,
  type LocatedProblem,
  locateAll,
  prepare,
  readConfiguration,
} from "../config/configuration.ts";
import { isConfigurationError } from "../config/problem.ts";
import { type Watched, probe } from "../dialogue/probe.ts";
import { watcher, withOurs } from "../dialogue/watcher.ts";
import { exitCodes } from "../exit.ts";
import { packageWarnings, uncheckedOptions } from "../manifest/warnings.ts";
import { countOf, explain, paint } from "../report.ts";
import { checkedWishes, troubleLog } from "./prepared.ts";

/** What `check` found, as `--json` prints it. */
interface Findings {
  readonly file: string | undefined;
  readonly problems: LocatedProblem[];
  readonly warnings: string[];
  readonly listeners: ListenerFindings[];
}

interface ListenerFindings {
  readonly name: string;
  readonly mode: string;
  readonly plugins: readonly { readonly name: string; readonly version: string }[];
  /** Everything that can permit a recipient. */
  readonly permits: readonly {
    readonly plugin: string;
    readonly kind: string;
    readonly what: string;
    readonly anyDomain: boolean;
  }[];
}

/** `mailhost check`: everything that is wrong, an open relay too (P6). */
export async function check(flags: { config?: string; json?: true }): Promise<void> {
  const findings = await findAll(flags.config);
  if (flags.json === true)
    console.log(JSON.stringify({ ok: findings.problems.length === 0, ...findings }, undefined, 2));
  else print(findings);
  if (findings.problems.length > 0) process.exitCode = exitCodes.configuration;
}

async function findAll(config: string | undefined): Promise<Findings> {
  const findings: Findings = { file: undefined, problems: [], warnings: [], listeners: [] };
  try {
    const configuration = await readConfiguration(checkedWishes({ config }));
    const found = { ...findings, file: configuration.file };
    found.warnings.push(...configuration.warnings, ...uncheckedOptions(configuration.options));
    return await lookAt(configuration, found);
  } catch (error) {
    if (!isConfigurationError(error)) throw error;
    findings.problems.push(...error.problems);
    return { ...findings, file: config };
  }
}

async function lookAt(configuration: Configuration, findings: Findings): Promise<Findings> {
  const watched: Watched = { hear: undefined };
  const ours = [watcher((event) => watched.hear?.(event))];
  let server;
  try {
    server = await prepare(configuration, { log: troubleLog, ...withOurs(configuration.options, ours) });
  } catch (error) {
    if (!isConfigurationError(error)) throw error;
    findings.problems.push(...error.problems);
    return findings;
  }
  const problems: Problem[] = [];
  for (const [index, generation] of server.generations.entries()) {
    findings.listeners.push(describeListener(generation));
    findings.warnings.push(...warningsFor(generation), ...packageWarnings(generation, configuration.origins));
    problems.push(...everybodyNetworks(generation, configuration, index));
    const { name, serverName } = generation.listener;
    const probed = await probe(server, name, serverName, watched);
    if (probed.trouble !== undefined)
      findings.warnings.push(`listener ${name} could not be probed for an open relay: ${probed.trouble}`);
    if (probed.deferred.length > 0)
      findings.warnings.push(
        `listener ${name} deferred probes for an open relay, so nothing is known: ${probed.deferred.join(", ")}`,
      );
    problems.push(...openRelay(generation, probed.accepted, configuration, index));
  }
  findings.problems.push(...locateAll(withoutRepeats(problems), configuration));
  await server.close();
  // A plugin may stand on every listener
  return { ...findings, warnings: [...new Set(findings.warnings)] };
}

const isOurs = (name: string): boolean => name.startsWith("(");

const describeListener = ({ listener: { name, mode }, plugins, vocabulary }: Generation): ListenerFindings => ({
  name,
  mode,
  plugins: plugins.filter((one) => !isOurs(one.name)).map((one) => ({ name: one.name, version: one.version })),
  permits: vocabulary.permits.map(({ plugin, kind, what, anyDomain }) => ({
    plugin,
    kind,
    what,
    anyDomain: anyDomain === true,
  })),
});

function warningsFor({ listener: { name }, vocabulary, taps }: Generation): string[] {
  const judges = taps.filter(({ hook }) => hook === "rcpt").map(({ plugin }) => plugin);
  if (judges.length === 0)
    return [`listener ${name}: no plugin judges recipients, so every RCPT but postmaster's is refused`];
  if (vocabulary.permits.length === 0)
    return [
      `listener ${name}: no plugin says what it permits; every RCPT is refused unless one of ${judges.join(", ")} permits it`,
    ];
  return vocabulary.permits
    .filter(({ anyDomain }) => anyDomain === true)
    .map(({ plugin, kind, what }) => `listener ${name}: ${plugin} permits every domain (${kind}, ${what})`);
}

/** A network that holds so much of the internet that it names nobody. */
const everybodyNetworks = ({ vocabulary }: Generation, configuration: Configuration, index: number): Problem[] =>
  vocabulary.permits.flatMap(({ plugin, what }) => {
    const network = /^network (\S+)$/.exec(what)?.[1];
    if (network === undefined || !isEverybody(network)) return [];
    return {
      code: "OPEN_RELAY" as const,
      where: whereIs(plugin, configuration, index),
      what: `plugin ${plugin} lets the network ${network} relay, which is everybody`,
      mend: "Name the networks of your own machines.",
    };
  });

function openRelay(
  generation: Generation,
  accepted: Awaited<ReturnType<typeof probe>>["accepted"],
  configuration: Configuration,
  index: number,
): Problem[] {
  const { vocabulary, listener } = generation;
  const stated = new Set(
    vocabulary.permits
      .filter(({ kind, anyDomain }) => kind === "local" && anyDomain === true)
      .map(({ plugin }) => plugin),
  );
  return accepted
    .filter(({ kind, plugins }) => kind === "relay" || !plugins.some((plugin) => stated.has(plugin)))
    .map(({ kind, plugins, recipient, client }) => ({
      code: "OPEN_RELAY",
      where: whereIs(plugins[0] ?? "", configuration, index),
      what: `listener ${listener.name} takes mail for ${recipient} from a stranger (${client}) ${kind === "relay" ? "and passes it on" : "and stores it"}: plugin ${plugins.join(", ")} permits it`,
      mend:
        kind === "relay"
          ? "Permit relaying for identities and networks of your own only."
          : "Name the domains mail is for, or say catchAll when that is meant.",
    }));
}

/** One problem per plugin says enough: nine recipients from two strangers would fill a screen. */
function withoutRepeats(problems: readonly Problem[]): Problem[] {
  const first = new Map<string, Problem>();
  for (const problem of problems) {
    const key = `${problem.where} ${problem.mend}`;
    if (!first.has(key)) first.set(key, problem);
  }
  return [...first.values()];
}

/** Where in the configuration a plugin stands. */
function whereIs(plugin: string, { options }: Configuration, index: number): string {
  const common = (options.plugins ?? []).findIndex(({ name }) => name === plugin);
  if (common >= 0) return `plugins[${common}]`;
  const own = (options.listeners?.[index]?.plugins ?? []).findIndex(({ name }) => name === plugin);
  return own >= 0 ? `listeners[${index}].plugins[${own}]` : `listeners[${index}]`;
}

function print({ file, problems, warnings, listeners }: Findings): void {
  if (file !== undefined || listeners.length > 0) console.log(`configuration: ${file ?? "embedded defaults"}`);
  for (const { name, mode, plugins, permits } of listeners) {
    console.log(`\nlistener ${name} (${mode}): ${plugins.map((one) => `${one.name} ${one.version}`).join(", ")}`);
    if (permits.length > 0) console.log("  who permits recipients:");
    for (const { plugin, kind, what } of permits) console.log(`    ${kind.padEnd(5)}  ${plugin}: ${what}`);
  }
  for (const warning of warnings) console.log(`\n${paint("yellow", "warning")}: ${warning}`);
  if (problems.length > 0)
    console.log(`\n${countOf(problems.length, "problem")}\n\n${explain(problems, process.stdout)}`);
  else console.log(`\n${paint("green", "no problems")}`);
}
