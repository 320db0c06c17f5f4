import { ConfigurationError, type Log, type Mailhost, type MailhostOptions } from "@mailhost/core";
import { type Configuration, prepare, readConfiguration } from "../config/configuration.ts";
import { type Wishes, wishesOf } from "../config/wishes.ts";

/** What looks at a configuration has nothing to log but what goes wrong. */
export const troubleLog: Log = {
  debug: () => {},
  info: () => {},
  warn: (_fields, message) => console.error(`mailhost: ${message}`),
  error: (_fields, message) => console.error(`mailhost: ${message}`),
};

/** The wishes of command line and environment. Throws a ConfigurationError. */
export function checkedWishes(flags: Wishes): Wishes {
  const { wishes, problems } = wishesOf(flags, process.env);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return wishes;
}

/** Reads the configuration and sets its server up without listening. */
export async function prepared(
  flags: Wishes,
  more: Partial<MailhostOptions> = {},
): Promise<{ configuration: Configuration; server: Mailhost }> {
  const configuration = await readConfiguration(checkedWishes(flags));
  const server = await prepare(configuration, { log: troubleLog, ...more });
  return { configuration, server };
}
