import type { Mailhost } from "@mailhost/core";
import type { Logger } from "pino";
import { isImporting } from "../config/modules.ts";
import { describeError } from "../config/problem.ts";
import { exitCodes, sameSignalMilliseconds } from "../exit.ts";
import type { Order } from "../workers/messages.ts";
import type { Parent } from "../workers/parent.ts";

/** From listening to the end of the process: reloads, handing over, draining. By signals, or by orders of a primary. */
export class Lifetime {
  readonly #server: Mailhost;
  readonly #log: Logger;
  readonly #reload: () => Promise<string | undefined>;
  readonly #primary: Parent | undefined;
  #ending: number | undefined;
  #reloading: Promise<unknown> = Promise.resolve();

  /** `reload` gives why the old configuration stays, or undefined. */
  constructor(server: Mailhost, log: Logger, reload: () => Promise<string | undefined>, primary: Parent | undefined) {
    this.#server = server;
    this.#log = log;
    this.#reload = reload;
    this.#primary = primary;
  }

  watch(): void {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => this.#signalled(signal));
    for (const event of ["uncaughtException", "unhandledRejection"] as const)
      process.on(event, (error: unknown) => {
        if (event === "unhandledRejection" && isImporting()) return;
        this.#log.fatal({ err: error }, `${event}: ${describeError(error)}; draining`);
        this.#end(exitCodes.runTime);
      });
    if (this.#primary === undefined) this.#watchAlone();
    else this.#watchPrimary(this.#primary);
  }

  #watchAlone(): void {
    process.on("SIGHUP", () => void this.#readAgain());
    process.on("SIGUSR2", () => this.#log.warn("SIGUSR2 replaces workers, and there are none: see start --workers"));
  }

  #watchPrimary(primary: Parent): void {
    const obey: Record<Order, () => void> = {
      reload: () => void this.#readAgain().then((why) => primary.report({ mailhost: "reloaded", ...(why && { why }) })),
      handOver: () => void this.#handOver(),
      end: () => this.#end(exitCodes.fine),
    };
    primary.onOrder((order) => obey[order]?.());
    primary.onGone(() => {
      this.#log.error("the primary is gone; draining");
      this.#end(exitCodes.runTime);
    });
    for (const signal of ["SIGHUP", "SIGUSR2"] as const)
      process.on(signal, () => this.#log.warn(`${signal} is for the primary, process ${process.ppid}`));
  }

  #signalled(signal: string): void {
    if (this.#ending === undefined) {
      this.#log.info(`${signal}: draining; once more ends at once`);
      this.#end(exitCodes.fine);
    } else if (performance.now() - this.#ending > sameSignalMilliseconds) process.exit(exitCodes.runTime);
  }

  #readAgain(): Promise<string | undefined> {
    const done = this.#reloading.then(async () => {
      if (this.#ending !== undefined) return "this process is ending";
      const why = await this.#reload();
      this.#primary?.tidy();
      return why;
    });
    this.#reloading = done;
    return done;
  }

  async #handOver(): Promise<void> {
    const sessions = this.#server.generations.reduce((sum, generation) => sum + generation.sessions, 0);
    this.#log.info({ sessions }, "another process listens in this one's place; open sessions go on");
    // What fails ends in `end`, which asks the same server to close
    await this.#server.handOver(() => void this.#primary?.report({ mailhost: "ending" })).catch(() => {});
    this.#end(exitCodes.fine);
  }

  #end(code: number): void {
    if (this.#ending !== undefined) return;
    this.#ending = performance.now();
    void this.#primary?.report({ mailhost: "ending" });
    // The server's own deadline is `timeouts.drain`; a plugin that never closes must not outlive it by much
    const longest = Math.max(0, ...this.#server.generations.map(({ timeouts }) => timeouts.drain)) + 10_000;
    setTimeout(() => process.exit(exitCodes.runTime), longest).unref();
    this.#server.close().then(
      () => process.exit(code),
      (error: unknown) => {
        this.#log.error({ err: error }, "closing failed");
        process.exit(exitCodes.runTime);
      },
    );
  }
}
