import cluster from "node:cluster";
import { failure } from "../failure.ts";
import { type Order, type Report, isOrder, isWorker } from "./messages.ts";
import { closeOrphanHandles, watchHandles } from "./orphan-handles.ts";

/** The primary, as its worker knows it. */
export interface Parent {
  /** Resolves when it has left this process. */
  readonly report: (report: Report) => Promise<void>;
  readonly onOrder: (obey: (order: Order) => void) => void;
  /** The primary is no more. Node would end this process at once; with this it ends as it likes. */
  readonly onGone: (call: () => void) => void;
  /** To be called after a reload: what it could not listen on must not stay with the primary. */
  readonly tidy: () => void;
}

/** Undefined in a process that has no primary. */
export function parent(): Parent | undefined {
  if (!isWorker) return undefined;
  process.title = "mailhost: worker";
  watchHandles();
  return {
    report: (report) =>
      new Promise((resolve) => {
        if (process.connected) process.send?.(report, undefined, undefined, () => resolve());
        else resolve();
      }),
    onOrder: (obey) =>
      void process.on("message", (message) => {
        if (isOrder(message)) obey(message.order);
      }),
    onGone(call) {
      if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
      process.once("disconnect", call);
    },
    tidy: closeOrphanHandles,
  };
}

/** Leaves the words to the primary: when a worker is replaced they belong into its log, and to who asked for it. */
export async function giveUp(primary: Parent, error: unknown): Promise<never> {
  const { code, text } = failure(error);
  await primary.report({ mailhost: "failed", code, text });
  process.exit(code);
}
