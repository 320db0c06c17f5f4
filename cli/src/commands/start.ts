import { ConfigurationError, type Log, type Mailhost, type MailhostOptions } from "@mailhost/core";
import type { Logger } from "pino";
import { type Configuration, locateAll, prepare, readConfiguration } from "../config/configuration.ts";
import { describeError, isConfigurationError } from "../config/problem.ts";
import { isImporting } from "../config/modules.ts";
import { withoutConsequences } from "../config/together.ts";
import type { Wishes } from "../config/wishes.ts";
import { mailLog } from "../dialogue/mail-log.ts";
import { watcher } from "../dialogue/watcher.ts";
import { exitCodes } from "../exit.ts";
import { makeLog } from "../log.ts";
import { placeOf } from "../report.ts";
import { banner } from "./banner.ts";
import { checkedWishes } from "./prepared.ts";

export interface StartFlags extends Wishes {
  readonly jsonLogs?: true;
  readonly quiet?: true;
}

/** `mailhost start`: serves until a signal ends it. */
export async function start(flags: StartFlags): Promise<void> {
  const wishes = checkedWishes(flags);
  const json = flags.jsonLogs === true;
  const log = await makeLog(wishes.logLevel ?? (flags.quiet === true ? "warn" : "info"), json);
  const configuration = await readConfiguration(wishes);
  const server = await prepare(configuration, withLog(configuration, log));
  watchProcess(server, log, () => readAgain(server, { ...wishes, config: configuration.file }, log));
  await listen(server, configuration);
  for (const warning of configuration.warnings) log.warn(warning);
  for (const address of server.addresses) log.info(address, "listening");
  if (!json && flags.quiet !== true) process.stdout.write(banner(server, configuration));
  await new Promise(() => {}); // a signal ends the process
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

/** Puts the configuration in force anew. Whatever is wrong with it, the old one stays. */
async function readAgain(server: Mailhost, wishes: Wishes, log: Logger): Promise<void> {
  try {
    const configuration = await readConfiguration(wishes, true);
    try {
      if (configuration.problems.length > 0) throw new ConfigurationError(configuration.problems);
      await server.reload({ ...configuration.options, ...withLog(configuration, log) });
    } catch (error) {
      throw located(error, configuration);
    }
    log.info({ listeners: server.addresses }, "configuration reloaded");
  } catch (error) {
    const kept = "configuration not reloaded, the old one stays in force";
    if (!isConfigurationError(error)) return log.error({ err: error }, `${kept}: ${describeError(error)}`);
    const problems = error.problems.map((problem) => `${placeOf(problem)}: ${problem.what}. ${problem.mend}`);
    log.error({ problems }, `${kept}: ${problems.join(" ")}`);
  }
}

/** npm passes on the SIGINT that the terminal sent to everybody: what comes so soon is the same one. */
const sameSignalMilliseconds = 500;

function watchProcess(server: Mailhost, log: Logger, reload: () => Promise<void>): void {
  let ending: number | undefined;
  const end = (code: number): void => {
    ending = performance.now();
    // The server's own deadline is `timeouts.drain`; a plugin that never closes must not outlive it by much
    const longest = Math.max(0, ...server.generations.map(({ timeouts }) => timeouts.drain)) + 10_000;
    setTimeout(() => process.exit(exitCodes.runTime), longest).unref();
    server.close().then(
      () => process.exit(code),
      (error: unknown) => {
        log.error({ err: error }, "closing failed");
        process.exit(exitCodes.runTime);
      },
    );
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.on(signal, () => {
      if (ending === undefined) {
        log.info(`${signal}: draining; once more ends at once`);
        end(exitCodes.fine);
      } else if (performance.now() - ending > sameSignalMilliseconds) process.exit(exitCodes.runTime);
    });
  let reloading = Promise.resolve();
  process.on("SIGHUP", () => {
    if (ending === undefined) reloading = reloading.then(reload);
  });
  for (const event of ["uncaughtException", "unhandledRejection"] as const)
    process.on(event, (error: unknown) => {
      if (event === "unhandledRejection" && isImporting()) return;
      log.fatal({ err: error }, `${event}: ${describeError(error)}; draining`);
      if (ending === undefined) end(exitCodes.runTime);
    });
}
