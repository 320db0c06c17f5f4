import { basename } from "node:path";
import type { Problem } from "@mailhost/core";

/** What the command line or the environment says in place of the configuration. */
export interface Wishes {
  readonly config?: string | undefined;
  readonly name?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** Folder for mail, on a server without a configuration. */
  readonly mail?: string | undefined;
  readonly logLevel?: string | undefined;
  /** Processes that serve; undefined for one without a primary. */
  readonly workers?: number | undefined;
  /** Socket at which the primary takes orders. */
  readonly control?: string | undefined;
}

export const logLevels: readonly string[] = ["debug", "info", "warn", "error", "silent"];

/** The environment's wishes; those of the command line go before them. */
export function wishesOf(flags: Wishes, environment: NodeJS.ProcessEnv): { wishes: Wishes; problems: Problem[] } {
  const problems: Problem[] = [];
  const said = (name: string): string | undefined => (environment[name] === "" ? undefined : environment[name]);
  const port = said("MAILHOST_PORT");
  if (port !== undefined && portProblem(port) !== undefined)
    problems.push({
      code: "BAD_OPTION",
      where: "environment MAILHOST_PORT",
      what: portProblem(port) ?? "",
      mend: "Set it to a number from 0 to 65535, or unset it.",
    });
  const workers = said("MAILHOST_WORKERS");
  if (workers !== undefined && workersProblem(workers) !== undefined)
    problems.push({
      code: "BAD_OPTION",
      where: "environment MAILHOST_WORKERS",
      what: workersProblem(workers) ?? "",
      mend: `Set it to a number from 1 to ${mostWorkers}, or unset it.`,
    });
  const logLevel = said("MAILHOST_LOG_LEVEL");
  if (logLevel !== undefined && !logLevels.includes(logLevel))
    problems.push({
      code: "BAD_OPTION",
      where: "environment MAILHOST_LOG_LEVEL",
      what: `there is no log level ${logLevel}`,
      mend: `Use one of: ${logLevels.join(", ")}.`,
    });
  const wishes: Wishes = {
    config: flags.config ?? said("MAILHOST_CONFIG"),
    name: flags.name ?? said("MAILHOST_NAME"),
    host: flags.host ?? said("MAILHOST_HOST"),
    port: flags.port ?? (port === undefined || problems.length > 0 ? undefined : Number(port)),
    mail: flags.mail ?? said("MAILHOST_MAIL"),
    logLevel: flags.logLevel ?? (logLevels.includes(logLevel ?? "") ? logLevel : undefined),
    workers: flags.workers ?? (workers === undefined || problems.length > 0 ? undefined : Number(workers)),
    control: flags.control ?? said("MAILHOST_CONTROL"),
  };
  return { wishes, problems };
}

/** Why this is no port, or undefined when it is one. */
export const portProblem = (given: string): string | undefined =>
  /^\d{1,5}$/.test(given) && Number(given) <= 65535 ? undefined : `${JSON.stringify(given)} is no port`;

export const mostWorkers = 256;

/** Why there cannot be so many workers, or undefined when there can. */
export const workersProblem = (given: string): string | undefined =>
  /^\d{1,3}$/.test(given) && Number(given) >= 1 && Number(given) <= mostWorkers
    ? undefined
    : `${JSON.stringify(given)} is no number of workers`;

type Settings = Readonly<Record<string, unknown>>;

/** The settings with the wishes in their place. A port or host without a listener's name needs a configuration of one listener. */
export function applyWishes(settings: Settings, wishes: Wishes, file: string, problems: Problem[]): Settings {
  const { host, port, name } = wishes;
  const named = name === undefined ? settings : { ...settings, name };
  if (host === undefined && port === undefined) return named;
  const listeners: unknown = named["listeners"] ?? [{ port: 2525 }];
  if (!Array.isArray(listeners)) return named;
  if (listeners.length !== 1) {
    problems.push({
      code: "BAD_LISTENER",
      where: "listeners",
      what: `${basename(file)} has ${listeners.length} listeners, and a port or host from the command line or the environment does not say which it is for`,
      mend: "Change it in the configuration, or leave out --port, --host, MAILHOST_PORT and MAILHOST_HOST.",
    });
    return named;
  }
  const wished = { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) };
  // Its elements were checked to be tables
  return { ...named, listeners: [{ ...(listeners[0] as Settings), ...wished }] };
}
