import cluster from "node:cluster";

// What the primary and its workers tell each other. The primary stays while workers of newer versions come:
// what one does not know yet it passes over, and what is here keeps its meaning.

/** `reload`: read the configuration again. `handOver`: another one listens in your place. `end`: drain. */
export type Order = "reload" | "handOver" | "end";

export type Report =
  /** `handed`: among its sockets is one that a parent handed over (`fd`). */
  | { readonly mailhost: "listening"; readonly banner?: string; readonly handed?: boolean }
  /** It did not get as far as listening: what to say of that, and the exit code. */
  | { readonly mailhost: "failed"; readonly code: number; readonly text: string }
  /** The answer to `reload`; `why` when the old configuration stays. */
  | { readonly mailhost: "reloaded"; readonly why?: string }
  /** It takes no new connections any more, because it was told to hand over, or because it must end. */
  | { readonly mailhost: "ending" };

export const isReport = (message: unknown): message is Report =>
  typeof message === "object" && message !== null && "mailhost" in message;

export const isOrder = (message: unknown): message is { readonly order: Order } =>
  typeof message === "object" && message !== null && "order" in message;

/** Set for workers only: a process manager may run `mailhost start` in a cluster of its own. */
export const workerVariable = "MAILHOST_WORKER";

export const isWorker = cluster.isWorker && process.env[workerVariable] !== undefined;
