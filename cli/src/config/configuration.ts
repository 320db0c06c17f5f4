import { dirname, resolve } from "node:path";
import { ConfigurationError, type Mailhost, type MailhostOptions, type Problem, mailhost } from "@mailhost/core";
import { embedded } from "./embedded.ts";
import { find } from "./find.ts";
import { type Origins, makePlugins } from "./plugins.ts";
import { positionOf } from "./positions.ts";
import { isConfigurationError } from "./problem.ts";
import { checkShape } from "./shape.ts";
import { withoutConsequences } from "./together.ts";
import { type Wishes, applyWishes } from "./wishes.ts";

/** A configuration whose names have become plugins. What is wrong with it so far waits in `problems`. */
export interface Configuration {
  readonly options: MailhostOptions;
  /** Undefined when nobody wrote one, and the embedded one stands in. */
  readonly file: string | undefined;
  /** Its text, where it is data. */
  readonly text: string | undefined;
  /** Where its plugins come from. */
  readonly origins: Origins;
  /** Folder for mail of the embedded configuration. */
  readonly mail: string | undefined;
  readonly warnings: readonly string[];
  readonly problems: readonly Problem[];
}

/** A problem, and the place in the file where that is known. */
export interface LocatedProblem extends Problem {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

/**
 * Finds and reads the configuration, or takes the embedded one. From here on relative paths start from the
 * configuration's folder, whoever opens them. `fresh` runs a module again. Rejects with a ConfigurationError when
 * the file cannot be read at all.
 */
export async function readConfiguration(wishes: Wishes, fresh = false): Promise<Configuration> {
  const mail = wishes.mail === undefined ? undefined : resolve(wishes.mail);
  const named = wishes.config === undefined ? undefined : resolve(wishes.config);
  if (named !== undefined) enter(dirname(named));
  const found = await find(process.cwd(), named, fresh);
  const problems: Problem[] = [];
  const given = found === undefined ? embedded(mail ?? resolve("mail")) : found.config;
  const checked = checkShape(given);
  problems.push(...checked.problems);
  const settings = applyWishes(checked.settings, wishes, found?.file ?? "", problems);
  const origins: Origins = new Map();
  const options = await withPlugins(settings, problems, origins);
  const warnings = (found?.ignored ?? []).map((place) => `${place} is not read: ${found?.file ?? ""} comes first`);
  if (found !== undefined && wishes.mail !== undefined)
    warnings.push(`the folder ${wishes.mail} is not used: ${found.file} says where mail lands`);
  return {
    options,
    file: found?.file,
    text: found?.text,
    origins,
    mail: found === undefined ? (mail ?? resolve("mail")) : undefined,
    warnings,
    problems,
  };
}

function enter(folder: string): void {
  try {
    process.chdir(folder);
  } catch {
    // `find` says that the file is not there
  }
}

/** The options with plugins for names. Types were checked, values and unknown names are for core to judge. */
async function withPlugins(
  settings: Readonly<Record<string, unknown>>,
  problems: Problem[],
  origins: Origins,
): Promise<MailhostOptions> {
  const folder = process.cwd();
  const made = async (within: Readonly<Record<string, unknown>>, where: string): Promise<object> =>
    Array.isArray(within["plugins"])
      ? { ...within, plugins: await makePlugins(within["plugins"], folder, where, problems, origins) }
      : within;
  const whole = await made(settings, "plugins");
  const { listeners } = settings;
  if (!Array.isArray(listeners)) return whole;
  const own: object[] = [];
  for (const [index, listener] of listeners.entries()) own.push(await made(listener, `listeners[${index}].plugins`));
  return { ...whole, listeners: own };
}

/** A server whose plugins are set up. Rejects with a ConfigurationError that holds every problem, with its place in the file. */
export async function prepare(configuration: Configuration, more: Partial<MailhostOptions> = {}): Promise<Mailhost> {
  const problems: Problem[] = [...configuration.problems];
  const found = await prepareOne({ ...configuration.options, ...more });
  if ("server" in found) {
    if (problems.length === 0) return found.server;
    await found.server.close();
  } else problems.push(...found.problems.filter((problem) => !problems.some((one) => same(one, problem))));
  throw new ConfigurationError(locateAll(withoutConsequences(problems), configuration));
}

const same = (one: Problem, other: Problem): boolean => one.code === other.code && one.what === other.what;

async function prepareOne(options: MailhostOptions): Promise<{ server: Mailhost } | { problems: readonly Problem[] }> {
  try {
    return { server: await mailhost(options).prepare() };
  } catch (error) {
    if (isConfigurationError(error)) return { problems: error.problems };
    throw error;
  }
}

/** Problems with their places in the file, and with the package that would have to be another. */
export const locateAll = (problems: readonly Problem[], configuration: LocatedIn): LocatedProblem[] =>
  problems.map((problem) => ({
    ...problem,
    mend: updateOf(problem, configuration.origins) ?? problem.mend,
    ...placeIn(problem.where, configuration),
  }));

type LocatedIn = Pick<Configuration, "file" | "text" | "origins">;

/** The file of the configuration, and line and column of a setting where they are known. */
export const placeIn = (
  where: string,
  { file, text }: Pick<Configuration, "file" | "text">,
): Pick<LocatedProblem, "file" | "line" | "column"> => ({
  ...(file === undefined ? {} : { file }),
  ...(text === undefined || file === undefined ? {} : positionOf(text, inFile(where, file))),
});

const inFile = (where: string, file: string): string => (file.endsWith("package.json") ? `mailhost.${where}` : where);

function updateOf({ code, update }: Problem, origins: Origins): string | undefined {
  const of = update === undefined ? undefined : origins.get(update.where)?.package;
  if (update === undefined || of === undefined) return undefined;
  const command = `Run: npm install ${of.name}@${/^\w+$/.test(update.range) ? update.range : JSON.stringify(update.range)}`;
  return code === "CORE_VERSION" ? `${command}; if that is no newer, install the core it wants.` : command;
}
