import cluster from "node:cluster";
import { realpathSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import type { Logger } from "pino";
import type { StartFlags } from "../commands/start.ts";
import type { Wishes } from "../config/wishes.ts";
import { exitCodes, sameSignalMilliseconds } from "../exit.ts";
import { makeLog } from "../log.ts";
import { openControl } from "./control.ts";
import { Crew } from "./crew.ts";

/**
 * `mailhost start --workers`: the process that owns the listening sockets and starts the workers that serve. It loads
 * no configuration and no plugin: what it does not know cannot grow old in it.
 */
export async function lead(flags: StartFlags, { workers = 1, control, logLevel }: Wishes): Promise<never> {
  process.title = "mailhost: primary";
  const log = await makeLog(logLevel ?? (flags.quiet === true ? "warn" : "info"), flags.jsonLogs === true);
  // Workers accept for themselves: handing each connection over costs twice as much as the session's own setting up
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary(asCalled());
  const crew = new Crew(workers, log);
  const door = control === undefined ? undefined : await openControl(control, crew, log);
  watchSignals(crew, log, () => door?.close());
  void crew.lost.then(() => process.exit(exitCodes.runTime));
  const ended = new Promise<never>(() => {}); // a signal ends the process
  const started = await crew.start();
  if ("death" in started && !crew.ending) {
    const { code, signal, text } = started.death;
    process.stderr.write(text ?? `mailhost: the first worker ended with ${signal ?? `code ${code}`}\n`);
    process.exit(code);
  }
  if (!("banner" in started)) return ended;
  if (started.banner !== "") process.stdout.write(`${started.banner}${manner(workers, control)}\n`);
  log.info({ workers, control }, "workers listen");
  return ended;
}

function manner(workers: number, control: string | undefined): string {
  const how = control === undefined ? `kill -USR2 ${process.pid}` : `mailhost start --replace --control ${control}`;
  return `  ${workers} worker${workers === 1 ? "" : "s"}; for new code: ${how}`;
}

/**
 * The folder and the program by the names they were called by: a deployment points a link elsewhere before it replaces
 * workers, and may remove what the link led to before.
 */
function asCalled(): { cwd: string; exec?: string } {
  const { PWD: named = "" } = process.env;
  const cwd = process.cwd();
  try {
    if (!isAbsolute(named) || realpathSync(named) !== cwd) return { cwd };
  } catch {
    return { cwd }; // a name that leads nowhere
  }
  const within = relative(cwd, process.argv[1] ?? "");
  return within.startsWith("..") ? { cwd: named } : { cwd: named, exec: join(named, within) };
}

function watchSignals(crew: Crew, log: Logger, close: () => void): void {
  let ending: number | undefined;
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.on(signal, () => {
      if (ending === undefined) {
        ending = performance.now();
        log.info(`${signal}: draining; once more ends at once`);
        close();
        void crew.end().then((code) => process.exit(code));
      } else if (performance.now() - ending > sameSignalMilliseconds) {
        crew.kill();
        process.exit(exitCodes.runTime);
      }
    });
  process.on("SIGHUP", () => void crew.reload());
  process.on("SIGUSR2", () => void crew.replace());
}
