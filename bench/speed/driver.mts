// The generator, seen from the bench: one that failed is not used again, since what it began goes on.
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { clientCore, pin } from "./cores.mts";
import type { Done, Load } from "./generator.mts";

const patience = 90_000;

export class Driver {
  #child: ChildProcess | undefined;

  #started(): ChildProcess {
    if (this.#child !== undefined) return this.#child;
    const child = fork(join(import.meta.dirname, "generator.mts"), { execArgv: ["--import", "tsx"] });
    pin(child.pid ?? 0, clientCore);
    return (this.#child = child);
  }

  /** Sends that load. Rejects when a reply is not what it should be, and when nothing goes on. */
  async drive(load: Load): Promise<Done> {
    const child = this.#started();
    try {
      return await new Promise<Done>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error("it takes too long")), patience);
        child.once("exit", () => reject(new Error("the generator ended")));
        child.once("message", (answer) => {
          clearTimeout(late);
          const { done, problem } = answer as { done?: Done; problem?: string }; // what the generator sends
          if (done === undefined) reject(new Error(problem));
          else resolve(done);
        });
        child.send(load);
      });
    } catch (problem) {
      this.stop();
      throw problem;
    } finally {
      child.removeAllListeners();
    }
  }

  stop(): void {
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
  }
}
