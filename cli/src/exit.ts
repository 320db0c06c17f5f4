/** Exit codes of the command (78 is EX_CONFIG of sysexits.h: a service manager need not try again). */
export const exitCodes = { fine: 0, runTime: 1, usage: 2, configuration: 78 } as const;

/** npm passes on the SIGINT that the terminal sent to everybody: what comes so soon is the same one. */
export const sameSignalMilliseconds = 500;

/** The command line asks for something that cannot be. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Something went wrong while the command ran, and its message says all there is to know. */
export class RunTimeError extends Error {
  override readonly name = "RunTimeError";
}
