import { ConfigurationError, type Log, type Mailhost, type MailhostOptions } from "@mailhost/core";
import type { Logger } from "pino";
import { type Configuration, locateAll, prepare, readConfiguration } from "../config/configuration.ts";
import { describeError, isConfigurationError } from "../config/problem.ts";
import { withoutConsequences } from "../config/together.ts";
import type { Wishes } from "../config/wishes.ts";
import { mailLog } from "../dialogue/mail-log.ts";
import { watcher } from "../dialogue/watcher.ts";
import { makeLog } from "../log.ts";
import { placeOf } from "../report.ts";
import { type Parent, giveUp, parent } from "../workers/parent.ts";
import { banner } from "./banner.ts";
import { Lifetime } from "./lifetime.ts";
import { checkedWishes } from "./prepared.ts";

export interface StartFlags extends Wishes {
  readonly jsonLogs?: true;
  readonly quiet?: true;
}

/** `mailhost start` in one process, or as one of several workers: serves until a signal or the primary ends it. */
export async function start(flags: StartFlags): Promise<void> {
  const primary = parent();
  try {
    await serve(flags, primary);
  } catch (error) {
    if (primary === undefined) throw error;
    await giveUp(primary, error);
  }
  await new Promise(() => {}); // a signal ends the process
}

async function serve(flags: StartFlags, primary: Parent | undefined): Promise<void> {
  const wishes = checkedWishes(flags);
  const json = flags.jsonLogs === true;
  const log = await makeLog(wishes.logLevel ?? (flags.quiet === true ? "warn" : "info"), json);
  const configuration = await readConfiguration(wishes);
  const server = await prepare(configuration, withLog(configuration, log));
  const reload = () => readAgain(server, { ...wishes, config: configuration.file }, log);
  new Lifetime(server, log, reload, primary).watch();
  await listen(server, configuration);
  for (const warning of configuration.warnings) log.warn(warning);
  for (const address of server.addresses) log.info(address, "listening");
  const text = json || flags.quiet === true ? "" : banner(server, configuration);
  if (primary === undefined) return void process.stdout.write(text);
  const handed = configuration.options.listeners?.some(({ fd }) => fd !== undefined) === true;
  await primary.report({ mailhost: "listening", banner: text, handed });
}

/** The log, and what is to be told in it of each message: where debug-log shows every dialogue already, nothing. */
function withLog({ options, mail }: Configuration, own: Logger): Partial<MailhostOptions> {
  const log: Log = options.log ?? own;
  const tells = mail === undefined && (options.log !== undefined || own.isLevelEnabled("info"));
  return tells ? { log, plugins: [...(options.plugins ?? []), watcher(mailLog(log))] } : { log };
}

async function listen(server: Mailhost, configuration: Configuration): Promise<void> {
  try {
    await server.listen();
  } catch (error) {
    throw located(withPortFlag(error, configuration), configuration);
  }
}

/** Who has one listener need not write anything to try another port. */
const withPortFlag = (error: unknown, { options }: Configuration): unknown =>
  isConfigurationError(error) && (options.listeners?.length ?? 1) === 1
    ? new ConfigurationError(
        error.problems.map((problem) =>
          problem.what.endsWith("is taken")
            ? { ...problem, mend: `${problem.mend} For this once: --port 2526` }
            : problem,
        ),
      )
    : error;

const located = (error: unknown, configuration: Configuration): unknown =>
  isConfigurationError(error)
    ? new ConfigurationError(locateAll(withoutConsequences(error.problems), configuration))
    : error;

/** Puts the configuration in force anew. Whatever is wrong with it, the old one stays, and the result says why. */
async function readAgain(server: Mailhost, wishes: Wishes, log: Logger): Promise<string | undefined> {
  try {
    const configuration = await readConfiguration(wishes, true);
    try {
      if (configuration.problems.length > 0) throw new ConfigurationError(configuration.problems);
      await server.reload({ ...configuration.options, ...withLog(configuration, log) });
    } catch (error) {
      throw located(error, configuration);
    }
    log.info({ listeners: server.addresses }, "configuration reloaded");
    return undefined;
  } catch (error) {
    const problems = isConfigurationError(error)
      ? error.problems.map((problem) => `${placeOf(problem)}: ${problem.what}. ${problem.mend}`)
      : [describeError(error)];
    const why = problems.join(" ");
    const fields = isConfigurationError(error) ? { problems } : { err: error };
    log.error(fields, `configuration not reloaded, the old one stays in force: ${why}`);
    return why;
  }
}
